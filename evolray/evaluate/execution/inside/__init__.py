"""What runs inside the sandbox, on the standard library alone.

zygote     starts and ends the processes of one program after the other
isolation  puts a process into namespaces of its own and takes its rights away
callee     defines a hostile program and answers calls to it
tester     runs the benchmark's tests, which call the callee
values     how values cross between them and to the host
"""
