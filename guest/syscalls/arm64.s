// Waits in a template until the machine is given another identity, then makes system calls for the
// agent.
//
// Erlang has no ioctl, sethostname or clock_settime, and starting a program in a clone that has
// just woken costs more than everything else it does. So this one waits, already running.
//
//   argument    any one: wake without mixing in entropy (a test needs to see what that does)
//   to stdout   the 512 bytes of the identity, once, when it is no longer a template's, or is
//               another one than was last read
//   from stdin  up to 4096 bytes: rows of seven words, a system call's number and six arguments,
//               ended by a word of zero, then data; the whole lands at address 0x401000
//   to stdout   the same bytes with each number replaced by the call's result

    ldr  x20, [sp]                  // argc
    mov  x19, #0x40, lsl #16
    add  x19, x19, #1, lsl #12      // the buffer, 0x401000
    mov  x0, #-100                  // AT_FDCWD
    adr  x1, identity
    mov  x2, #0                     // O_RDONLY
    mov  x8, #56                    // openat
    svc  #0
    mov  x21, x0
    mov  x0, #-100
    adr  x1, urandom
    mov  x2, #1                     // O_WRONLY
    mov  x8, #56
    svc  #0
    mov  x22, x0
    mov  x26, x19
    add  x26, x26, #1, lsl #12      // the identity that was read last, 0x402000
    mov  x0, x21
    mov  x1, x26
    mov  x2, #512
    mov  x3, #0
    mov  x8, #67                    // pread64
    svc  #0
    mov  w25, #0x6574
    movk w25, #0x706d, lsl #16      // "temp", the beginning of a template's identity

serve:
    mov  x0, #0
    mov  x1, x19
    mov  x2, #4096
    mov  x8, #63                    // read
    svc  #0
    cmp  x0, #0
    b.le end
    mov  x24, x0
    mov  x23, x19
next:
    ldr  x8, [x23]
    cbz  x8, done
    cmp  x8, #4095
    b.eq sleep
    ldp  x0, x1, [x23, #8]
    ldp  x2, x3, [x23, #24]
    ldp  x4, x5, [x23, #40]
    svc  #0
    str  x0, [x23]
    add  x23, x23, #56
    b    next
done:
    mov  x0, #1
    mov  x1, x19
    mov  x2, x24
    mov  x8, #64                    // write
    svc  #0
    b    serve

// The number 4095 instead of a system call's: wait for the wake.
sleep:
    adr  x0, interval
    mov  x1, #0
    mov  x8, #101                   // nanosleep
    svc  #0
    mov  x0, x21
    mov  x1, x19
    mov  x2, #512
    mov  x3, #0
    mov  x8, #67                    // pread64
    svc  #0
    cmp  x0, #512
    b.ne sleep
    ldr  w1, [x19]
    cmp  w1, w25
    b.ne woken
    mov  x1, x19
    mov  x2, x26
    mov  x3, #128                   // words left to compare
    mov  x4, #0                     // whether one was another
compare:
    ldr  w5, [x1]
    ldr  w6, [x2]
    cmp  w5, w6
    b.eq same
    mov  x4, #1
    str  w5, [x2]
same:
    add  x1, x1, #4
    add  x2, x2, #4
    sub  x3, x3, #1
    cbz  x3, compared
    b    compare
compared:
    cbz  x4, sleep
woken:
    cmp  x20, #1
    b.ne tell
    mov  x0, x22
    mov  x1, x19
    mov  x2, #512
    mov  x8, #64
    svc  #0
    mov  x0, x22
    mov  x1, #0x5207                // RNDRESEEDCRNG
    mov  x2, #0
    mov  x8, #29                    // ioctl
    svc  #0
tell:
    mov  x24, #512
    b    done

end:
    mov  x0, #0
    mov  x8, #93                    // exit
    svc  #0

    .balign 8
interval:
    .quad 0
    .quad 10000000                  // 10 ms
identity:
    .asciz "/sys/firmware/qemu_fw_cfg/by_name/opt/org.fleetdash/identity/raw"
urandom:
    .asciz "/dev/urandom"
