# The first thread of a held process becomes a server that forks the process on request.
#
# as fork_server.s -o fork_server.o && objcopy -O binary -j .text fork_server.o fork_server.bin
# gives the bytes in fork_server.py, which a test compares.
#
# r14  the control socket's descriptor, below which are all that children keep
# r15  the data (fork_server.py, _Data):
#      0 msghdr   64 its control length   72 clone's flags   80 clone's child thread id address
#      88 answer  96 the first thread's signal frame         1024 rows
#
# A row is eight words: a system call's number, six arguments and the least acceptable result; the
# number -1 ends them. A thread begins on its own signal frame and goes on from there at once.
.intel_syntax noprefix
serve:
    mov eax, 47                 # recvmsg: who to become, and its open files
    mov edi, r14d
    mov rsi, r15
    xor edx, edx
    syscall
    test rax, rax
    jle end                     # nobody is left to ask
    mov rcx, [r15+64]
    mov [r15+40], rcx
    mov eax, 56                 # clone
    mov rdi, [r15+72]
    xor esi, esi
    xor edx, edx
    mov r10, [r15+80]
    xor r8d, r8d
    syscall
    test rax, rax
    jz child
    mov [r15+88], rax
    mov eax, 436                # close_range: what was the child's
    lea edi, [r14+1]
    mov esi, -1
    xor edx, edx
    syscall
    mov eax, 1                  # write the child's number, or why there is none
    mov edi, r14d
    lea rsi, [r15+88]
    mov edx, 8
    syscall
    cmp rax, 8
    je serve
end:
    mov eax, 231                # exit_group
    mov edi, 70
    syscall
child:
    lea rbx, [r15+1024]
row:
    mov rax, [rbx]
    cmp rax, -1
    je wake
    mov rdi, [rbx+8]
    mov rsi, [rbx+16]
    mov rdx, [rbx+24]
    mov r10, [rbx+32]
    mov r8, [rbx+40]
    mov r9, [rbx+48]
    syscall
    cmp qword ptr [rbx], 56
    jne check
    test rax, rax
    jz restore                  # a thread that has just begun
check:
    cmp rax, [rbx+56]
    jl end
    add rbx, 64
    jmp row
wake:
    mov rsp, [r15+96]
restore:
    mov eax, 15                 # rt_sigreturn
    syscall
