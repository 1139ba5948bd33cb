/* Be the first process of a container that others work in, on AArch64. See x86_64_pause.S. */
        .set    SIGCHLD, 17
        .globl  _start
_start: sub     sp, sp, #160
        mov     x8, #167                        // prctl(PR_SET_DUMPABLE, 0)
        mov     x0, #4
        mov     x1, #0
        svc     #0
        mov     x1, #-1
        str     x1, [sp, #128]
        mov     x8, #135                        // rt_sigprocmask(SIG_BLOCK, all)
        mov     x0, #0
        add     x1, sp, #128
        mov     x2, #0
        mov     x3, #8
        svc     #0
        mov     x8, #74                         // signalfd4(-1, all)
        mov     x0, #-1
        add     x1, sp, #128
        mov     x2, #8
        mov     x3, #0
        svc     #0
        mov     w1, #1                          // POLLIN
        stp     wzr, w1, [sp, #136]
        stp     w0, w1, [sp, #144]
        mov     x8, #64                         // write(1, set, 1)
        mov     x0, #1
        add     x1, sp, #128
        mov     x2, #1
        svc     #0
wait:   mov     x8, #73                         // ppoll
        add     x0, sp, #136
        mov     x1, #2
        mov     x2, #0
        mov     x3, #0
        mov     x4, #8
        svc     #0
        tbnz    x0, #63, wait
        ldrh    w1, [sp, #150]
        cbz     w1, input
        mov     x8, #63                         // read the signal
        ldr     w0, [sp, #144]
        mov     x1, sp
        mov     x2, #128
        svc     #0
        ldr     w0, [sp]
        cmp     w0, #15
        b.eq    end
        cmp     w0, #2
        b.eq    end
        cmp     w0, #SIGCHLD
        b.ne    wait
reap:   mov     x8, #260                        // wait4(-1, NULL, WNOHANG, 0)
        mov     x0, #-1
        mov     x1, #0
        mov     x2, #1
        mov     x3, #0
        svc     #0
        cmp     x0, #0
        b.gt    reap
        b       wait
input:  mov     x8, #63                         // read what nobody meant for it
        mov     x0, #0
        mov     x1, sp
        mov     x2, #128
        svc     #0
        cmp     x0, #0
        b.gt    wait
end:    mov     x8, #94                         // exit_group
        mov     x0, #0
        svc     #0
