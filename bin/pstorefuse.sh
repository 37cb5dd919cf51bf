#!/bin/sh
":" /*
# A shell and Node can both run this file: Node takes all of the shell's lines for a comment, so no line may end one.
#
# The command pstorefuse. A mount is one Node, its server, which starts in the background; this shell waits until the
# mount answers, and a copy of it stays to take the mount away should the server be killed. Every other command is a
# Node in the place of this shell. scripts/bundle fills in the names of the commands.

self=$0
[ ! -L "$self" ] || self=$(readlink -f -- "$self")
case $self in
  [/]*) ;;
  *[/]*) self=$PWD/$self ;;
  *) self=$(command -v -- "$self") ;;
esac
folder=${self%/*}
# mount(8) and units may start us with hardly any.
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
# Node reads these certificates whenever it starts, which takes longer than all else, and needs none here.
unset NODE_EXTRA_CA_CERTS
node=${PSTOREFUSE_NODE:-node}
command -v -- "$node" >/dev/null || {
  echo 'pstorefuse: Node 20 or later is needed, and there is no node in PATH' >&2
  exit 69
}

in_place() {
  exec "$node" "$folder/pstorefuse.js" "$@"
}

[ $# -gt 0 ] || in_place
case " help @COMMANDS@ " in
  *" ${1-} "*) in_place "$@" ;;
esac

: "${PSTOREFUSE_NAME:=$0}" "${PSTOREFUSE_PARENT:=$PPID}"
export PSTOREFUSE_NAME PSTOREFUSE_PARENT

# Whether it is to stay in the foreground. To a helper of mount(8), -f is something else.
foreground=
value=
for word; do
  if [ -n "$value" ]; then
    value=
    continue
  fi
  case $word in
    --) break ;;
    -h | --help | -V | --version) in_place "$@" ;;
    --foreground | --debug) foreground=yes ;;
    --transport | --backend | -o) value=next ;;
    -[dfs]*)
      flags=${word%%o*}
      case $flags in
        -*[!dfs]*) ;;
        *[df]*) foreground=yes ;;
      esac
      case $word in
        *o) value=next ;;
      esac
      ;;
  esac
done
case ${PSTOREFUSE_NAME##*[/]} in
  mount.*) foreground= ;;
esac

# Runs the server to its end. A wait that a signal ends is begun again.
serve() {
  "$node" --max-semi-space-size=2 --expose-gc "$folder/pstorefuse-server.js" "$@" </dev/null &
  server=$!
  trap 'kill "$server"' TERM INT HUP
  # What is not ours is not held open, and no file system is kept busy.
  exec 3>&- 4>&-
  [ -n "$foreground" ] || exec 2>/dev/null
  from=$PWD
  cd /
  while :; do
    wait "$server"
    status=$?
    kill -0 "$server" 2>/dev/null || break
  done
  # Killed: what it has left behind answers nobody any more.
  [ "$status" -le 128 ] || (cd "$from" && "$node" "$folder/pstorefuse-server.js" --clean-up "$@") >/dev/null 2>&1
  return "$status"
}

if [ -n "$foreground" ]; then
  serve "$@"
  exit
fi
# The server writes the exit status to descriptor 3 when the mount answers, or fails, and closes it.
PSTOREFUSE_WAITING=1
export PSTOREFUSE_WAITING
status=$(
  exec 3>&1 >/dev/null
  serve "$@" &
)
[ -n "$status" ] || echo "pstorefuse: $node ended before the mount was there: try $node --version" >&2
exit "${status:-70}"
*/; require('./pstorefuse.js');
