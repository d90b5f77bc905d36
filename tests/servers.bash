# shellcheck shell=bash disable=SC2034
# Loaded by the .bats files of sockets, after helper: servers in python, in the background.

# server CODE: a python server on a free port, in the background; its port is SERVER.
server() {
  python3 -c "
import os, socket, sys, threading, time, struct
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(('127.0.0.1', 0)); l.listen(4096)
open('server.port.tmp', 'w').write(str(l.getsockname()[1]))
os.rename('server.port.tmp', 'server.port')
$1" 3>&- &
  STARTED+=($!)
  until_ok '[ -e server.port ]'
  SERVER=$(cat server.port)
}

echo_server='
def serve(c):
    while True:
        d = c.recv(65536)
        if not d: break
        c.sendall(d)
    c.shutdown(1); c.close()
while True: threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()'

# leave PID N: the process may open N descriptors more.
leave() {
  local most=-1 left=$2
  while [ "$left" -ge 0 ]; do
    most=$((most + 1))
    [ -e "/proc/$1/fd/$most" ] || left=$((left - 1))
  done
  prlimit --nofile="$most:" --pid "$1"
}
