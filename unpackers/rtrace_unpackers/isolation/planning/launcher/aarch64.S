/* The first process of a replay, on aarch64. x86_64.S says what it does and what the data is. */
        .set    STEP, 72
        .set    SIGQUIT, 3
        .set    SIGCHLD, 17
        .set    SIGCONT, 18
        .set    SIGSTOP, 19
        .set    SIGTSTP, 20
        .set    ENDED, 1
        .set    STOPPED, 2
        .set    FORK, 3
/* the stack: 0 siginfo (128 bytes), 128 wait status, 136 signal set, 144 report */
/* x19 the step, w20 the program (0 when it has ended), w21 its wait status, x22 the parameters */
        .globl  _start
_start: sub     sp, sp, #160
        mov     x0, #-1
        str     x0, [sp, #136]
        mov     x22, #0x410000
        ldr     x19, [x22]
        bl      run
        mov     x8, #220                        /* clone(SIGCHLD) */
        mov     x0, #SIGCHLD
        mov     x1, #0
        mov     x2, #0
        mov     x3, #0
        mov     x4, #0
        svc     #0
        tbnz    w0, #31, no_fork
        cbz     w0, child
        mov     w20, w0
        mov     w21, #0
        ldr     x19, [x22, #16]
        bl      run
wait:   mov     x8, #137                        /* rt_sigtimedwait */
        add     x0, sp, #136
        mov     x1, sp
        mov     x2, #0
        mov     x3, #8
        svc     #0
        cmp     w0, #SIGCHLD
        b.eq    reap
        tbnz    w0, #31, wait
        ldr     w1, [sp, #8]                    /* si_code: the kernel's own, as from a terminal */
        cmp     w1, #0
        b.gt    wait
        ldr     w1, [sp, #16]                   /* si_pid: somebody of this namespace */
        cbnz    w1, wait
        mov     w1, w0
        cmp     w1, #SIGTSTP
        b.eq    stop
        cmp     w1, #SIGCONT
        b.eq    all
        cbz     w20, all                        /* it has ended: what it left behind */
        mov     w0, w20
        cmp     w1, #SIGQUIT
        b.hi    send
        neg     w0, w0                          /* SIGHUP, SIGINT, SIGQUIT are for a group, as from a terminal */
        ldr     x2, [x22, #24]
        cbnz    x2, send
        mov     w0, #0
        b       send
stop:   mov     w1, #SIGSTOP
all:    mov     w0, #-1
send:   mov     x8, #129                        /* kill */
        svc     #0
        b       wait
reap:   mov     x8, #260                        /* wait4(-1, &status, WNOHANG | WUNTRACED, 0) */
        mov     x0, #-1
        add     x1, sp, #128
        mov     x2, #3
        mov     x3, #0
        svc     #0
        cbz     w0, wait
        tbnz    w0, #31, done                   /* ECHILD: everything has ended */
        cmp     w0, w20
        b.ne    reap
        ldr     w1, [sp, #128]
        and     w2, w1, #0xff
        cmp     w2, #0x7f
        b.eq    halted
        mov     w21, w1
        mov     w20, #0
        b       reap
halted: ubfx    w1, w1, #8, #8
        mov     w0, #STOPPED
        bl      report
        b       reap
done:   mov     w0, #ENDED
        mov     w1, w21
        bl      report
        cmp     x0, #8                          /* nobody listens: it was started by the program itself */
        cset    x0, ne
exit:   mov     x8, #94                         /* exit_group */
        svc     #0
no_fork:
        neg     w1, w0
        mov     w0, #FORK
        bl      report
        mov     x0, #1
        b       exit
child:  ldr     x19, [x22, #8]
        bl      run
        mov     x0, #1                          /* the last step executes the program: it has failed */
        b       exit
report: stp     w0, w1, [sp, #144]
        ldr     x0, [x22, #32]
        add     x1, sp, #144
        mov     x2, #8
        mov     x8, #64                         /* write */
        svc     #0
        ret
run:    ldr     x8, [x19]
        cmn     x8, #1
        b.eq    ran
        ldp     x0, x1, [x19, #8]
        ldp     x2, x3, [x19, #24]
        ldp     x4, x5, [x19, #40]
        svc     #0
        cmn     x0, #4095
        b.hs    failed
        ldr     x1, [x19, #56]
        cbz     x1, next
        str     x0, [x1]
next:   add     x19, x19, #STEP
        b       run
failed: neg     w1, w0
        ldr     w0, [x19, #64]
        cbz     w0, next
        bl      report
        mov     x0, #1
        b       exit
ran:    ret
