/* Start a recorded program and be its init, on AArch64. See x86_64.S. */
        .set    PARAMETERS, 0x400800
        .set    SIGCHLD, 17
/* the stack: 0 siginfo (128 bytes), 128 wait status, 136 signal set; x19 parameters, w20 program, w21 wait status */
        .globl  _start
_start: ldr     x22, [sp]                       // argc
        sub     sp, sp, #144
        movz    x19, #(PARAMETERS >> 16), lsl #16
        movk    x19, #(PARAMETERS & 0xffff)
        ldr     x0, [x19]
        mov     x8, #166                        // umask
        svc     #0
        ldr     x0, [x19, #8]
        mov     x8, #49                         // chdir
        svc     #0
        tbnz    x0, #63, no_directory
        mov     x1, #-1
        mov     x0, #0                          // SIG_BLOCK
        bl      set_mask
        mov     x8, #167                        // prctl(PR_SET_CHILD_SUBREAPER, 1)
        mov     x0, #36
        mov     x1, #1
        svc     #0
        bl      fork
        tbnz    x0, #63, no_program
        cbz     x0, child
        mov     w20, w0
        mov     w21, #0
wait:   mov     x8, #137                        // rt_sigtimedwait
        add     x0, sp, #136
        mov     x1, sp
        mov     x2, #0
        mov     x3, #8
        svc     #0
        cmp     x0, #SIGCHLD
        b.eq    reap
        tbnz    x0, #63, wait
        cbz     w20, wait
        ldr     w2, [sp, #8]                    // si_code: a terminal told the program itself
        cmp     w2, #0
        b.gt    wait
        mov     w1, w0
        mov     w0, w20
        mov     x8, #129                        // kill
        svc     #0
        b       wait
reap:   mov     x8, #260                        // wait4(-1, &status, WNOHANG, 0)
        mov     x0, #-1
        add     x1, sp, #128
        mov     x2, #1
        mov     x3, #0
        svc     #0
        cbz     x0, wait
        tbnz    x0, #63, done                   // ECHILD: everything has ended
        cmp     w0, w20
        b.ne    reap
        ldr     w21, [sp, #128]
        mov     w20, #0
        b       reap
done:   ands    w0, w21, #0x7f
        b.ne    killed
        ubfx    w0, w21, #8, #8
        b       exit
killed: add     w0, w0, #128
exit:   mov     x8, #94                         // exit_group
        svc     #0
set_mask:
        str     x1, [sp, #136]
        mov     x8, #135                        // rt_sigprocmask
        add     x1, sp, #136
        mov     x2, #0
        mov     x3, #8
        svc     #0
        ret
child:  mov     x1, #0
        mov     x0, #2                          // SIG_SETMASK
        bl      set_mask
        cmp     x22, #1
        b.eq    1f
        mov     x0, #1
        mov     x1, #2
        mov     x2, #0
        mov     x8, #24                         // dup3(1, 2, 0)
        svc     #0
1:      ldr     x23, [x19, #72]
step:   ldr     x8, [x23]
        cmn     x8, #1
        b.eq    execute
        ldp     x0, x1, [x23, #8]
        ldp     x2, x3, [x23, #24]
        add     x23, x23, #40
        cmn     x0, #1
        csel    x0, x24, x0, eq                 // the result of the step before
        cmn     x8, #2
        b.eq    inside
        cmn     x8, #3
        b.eq    pipe
        svc     #0
check:  tbnz    x0, #63, no_input
        mov     x24, x0
        b       step
inside: mov     x2, x1
        mov     x1, x0
        bl      open_inside
        b       check
pipe:   mov     w25, w0
        sub     sp, sp, #16
        mov     x0, sp
        mov     x1, #0x80000                    // O_CLOEXEC
        mov     x8, #59                         // pipe2
        svc     #0
        ldp     w26, w27, [sp]
        add     sp, sp, #16
        tbnz    x0, #63, no_input
        bl      fork
        tbnz    x0, #63, no_input
        cbnz    x0, fed
        bl      fork
        cbnz    x0, leave
        mov     w0, w26
        bl      close
feed:   mov     w0, w27
        mov     w1, w25
        mov     x2, #0
        mov     x3, #0x40000000
        mov     x8, #71                         // sendfile
        svc     #0
        cmp     x0, #0
        b.gt    feed
leave:  mov     x0, #0
        b       exit
fed:    mov     x1, #0
        mov     x2, #0
        mov     x3, #0
        mov     x8, #260                        // wait4
        svc     #0
        mov     w0, w27
        bl      close
        mov     w0, w25
        bl      close
        mov     w0, w26
        b       check
execute:
        ldr     x1, [x19, #16]
        mov     x2, #0x280000                   // O_PATH | O_CLOEXEC
        bl      open_inside
        tbnz    x0, #63, no_program
        mov     x8, #167                        // prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        mov     x0, #38
        mov     x1, #1
        mov     x2, #0
        mov     x3, #0
        mov     x4, #0
        svc     #0
        mov     x8, #167                        // prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program)
        mov     x0, #22
        mov     x1, #2
        ldr     x2, [x19, #80]
        svc     #0
        ldr     x0, [x19, #16]
        ldr     x1, [x19, #24]
        ldr     x2, [x19, #32]
        mov     x8, #221                        // execve
        svc     #0
no_program:
        mov     x20, x0
        ldr     x1, [x19, #56]
        ldr     x2, [x19, #64]
        bl      say
        mov     x0, #127
        cmn     x20, #2                         // ENOENT
        b.eq    exit
        cmn     x20, #20                        // ENOTDIR
        b.eq    exit
        mov     x0, #126
        b       exit
no_directory:
        ldr     x1, [x19, #40]
        ldr     x2, [x19, #48]
        bl      say
        mov     x0, #125
        b       exit
no_input:
        ldr     x1, [x19, #88]
        ldr     x2, [x19, #96]
        bl      say
        mov     x0, #125
        b       exit
open_inside:                                    // (path in x1, flags in x2); see x86_64.S
        mov     x5, x2
        sub     sp, sp, #32                     // struct open_how
        mov     x3, #2                          // RESOLVE_NO_MAGICLINKS
        stp     x2, xzr, [sp]
        str     x3, [sp, #16]
        mov     x0, #-100                       // AT_FDCWD
        mov     x2, sp
        mov     x3, #24
        mov     x8, #437                        // openat2
        svc     #0
        add     sp, sp, #32
        cmn     x0, #38                         // ENOSYS
        b.eq    1f
        cmn     x0, #1                          // EPERM
        b.eq    1f
        ret
1:      mov     x0, #-100
        mov     x2, x5
        mov     x3, #0
        mov     x8, #56                         // openat
        svc     #0
        ret
fork:   mov     x8, #220                        // clone(SIGCHLD)
        mov     x0, #SIGCHLD
        mov     x1, #0
        mov     x2, #0
        mov     x3, #0
        mov     x4, #0
        svc     #0
        ret
close:  mov     x8, #57
        svc     #0
        ret
say:    mov     x8, #64                         // write
        mov     x0, #2
        svc     #0
        ret
