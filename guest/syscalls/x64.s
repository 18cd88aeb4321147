# What arm64.s is, in the instructions of the other architecture; what it is for, how it is spoken to
# and what numbers it takes is said there.
#
# as x64.s -o x64.o && objcopy -O binary -j .text x64.o x64.bin
# gives the bytes in devices/firmware/x64_program.py, which a test compares.
#
# r12  number of arguments
# r13  the buffer, 0x401000; the identity that was read last is at 0x402000
# r14  the identity's file   r15  /dev/urandom
# rbx  bytes to answer with  rbp  the row that is worked on
.intel_syntax noprefix
    mov r12, [rsp]              # argc
    mov r13d, 0x401000
    mov eax, 257                # openat
    mov rdi, -100               # AT_FDCWD
    lea rsi, [rip+identity]
    xor edx, edx                # O_RDONLY
    syscall
    mov r14, rax
    mov eax, 257
    mov rdi, -100
    lea rsi, [rip+urandom]
    mov edx, 1                  # O_WRONLY
    syscall
    mov r15, rax
    mov eax, 17                 # pread64
    mov rdi, r14
    lea rsi, [r13+4096]
    mov edx, 512
    xor r10d, r10d
    syscall

serve:
    xor eax, eax                # read
    xor edi, edi
    mov rsi, r13
    mov edx, 4096
    syscall
    test rax, rax
    jle end
    mov rbx, rax
    mov rbp, r13
next:
    mov rax, [rbp]
    test rax, rax
    jz done
    cmp rax, 4095
    je sleep
    mov rdi, [rbp+8]
    mov rsi, [rbp+16]
    mov rdx, [rbp+24]
    mov r10, [rbp+32]
    mov r8, [rbp+40]
    mov r9, [rbp+48]
    syscall
    mov [rbp], rax
    add rbp, 56
    jmp next
done:
    mov eax, 1                  # write
    mov edi, 1
    mov rsi, r13
    mov rdx, rbx
    syscall
    jmp serve

# The number 4095 instead of a system call's: wait for the wake.
sleep:
    mov eax, 35                 # nanosleep
    lea rdi, [rip+interval]
    xor esi, esi
    syscall
    mov eax, 17                 # pread64
    mov rdi, r14
    mov rsi, r13
    mov edx, 512
    xor r10d, r10d
    syscall
    cmp rax, 512
    jne sleep
    cmp dword ptr [r13], 0x706d6574     # "temp", the beginning of a template's identity
    jne woken
    mov rsi, r13
    lea rdi, [r13+4096]
    mov ecx, 128
    repe cmpsd
    je sleep
    mov rsi, r13
    lea rdi, [r13+4096]
    mov ecx, 128
    rep movsd
woken:
    cmp r12, 1
    jne tell
    mov eax, 1
    mov rdi, r15
    mov rsi, r13
    mov edx, 512
    syscall
    mov eax, 16                 # ioctl
    mov rdi, r15
    mov esi, 0x5207             # RNDRESEEDCRNG
    xor edx, edx
    syscall
tell:
    mov ebx, 512
    jmp done

end:
    mov eax, 60                 # exit
    xor edi, edi
    syscall

    .balign 8
interval:
    .quad 0
    .quad 10000000              # 10 ms
identity:
    .asciz "/sys/firmware/qemu_fw_cfg/by_name/opt/org.fleetdash/identity/raw"
urandom:
    .asciz "/dev/urandom"
