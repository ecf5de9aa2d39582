"""Runs a command with sockets passed on as systemd does (sd_listen_fds(3)): pass_on.py FD,FD,... NAMES COMMAND..."""
import os
import sys

fds, names, command = [int(f) for f in sys.argv[1].split(",")], sys.argv[2], sys.argv[3:]
spare = [os.dup(f) for f in fds]
while min(spare) < 3 + len(fds):  # out of the way
    spare = [os.dup(f) for f in spare]
for to, fd in enumerate(spare, 3):
    os.dup2(fd, to)
for fd in spare:
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=names)
os.execvp(command[0], command)
