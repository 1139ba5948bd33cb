/* The first process of a replay, on x86-64: it makes the system calls of three lists, and is an init in between.
   Assembled into machine_code.py; a test compares the two. image.py lays out the data, steps.py what is in the lists.

   The parameters lie at 0x410000, eight bytes each: the list before the program is forked, the list of the program,
   the list of the first process after it, whether the program leads a process group of its own, and the descriptor
   for reports.
   A step has nine words: call number (-1 ends a list), six arguments, where to store the result (0: nowhere), and what
   to report if it fails (0: nothing, go on). A report is two words of four bytes: what, and errno. */
        .set    PARAMETERS, 0x410000
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
        .globl  _start
_start: sub     $152, %rsp
        movq    $-1, 136(%rsp)
        mov     PARAMETERS, %r12
        call    run
        mov     $56, %eax                       /* clone(SIGCHLD) */
        mov     $SIGCHLD, %edi
        xor     %esi, %esi
        xor     %edx, %edx
        xor     %r10d, %r10d
        xor     %r8d, %r8d
        syscall
        test    %eax, %eax
        js      no_fork
        jz      child
        mov     %eax, %ebx                      /* the program, 0 when it has ended */
        xor     %ebp, %ebp                      /* its wait status */
        mov     PARAMETERS + 16, %r12
        call    run
wait:   mov     $128, %eax                      /* rt_sigtimedwait */
        lea     136(%rsp), %rdi
        mov     %rsp, %rsi
        xor     %edx, %edx
        mov     $8, %r10d
        syscall
        cmp     $SIGCHLD, %eax
        je      reap
        test    %eax, %eax
        js      wait
        cmpl    $0, 8(%rsp)                     /* si_code: the kernel's own, as from a terminal */
        jg      wait
        cmpl    $0, 16(%rsp)                    /* si_pid: somebody of this namespace */
        jne     wait
        cmp     $SIGTSTP, %eax
        je      stop
        cmp     $SIGCONT, %eax
        je      all
        test    %ebx, %ebx
        jz      all                             /* it has ended: what it left behind */
        mov     %ebx, %edi
        cmp     $SIGQUIT, %eax
        ja      send
        neg     %edi                            /* SIGHUP, SIGINT, SIGQUIT are for a group, as from a terminal */
        cmpq    $0, PARAMETERS + 24
        jne     send
        xor     %edi, %edi
        jmp     send
stop:   mov     $SIGSTOP, %eax
all:    mov     $-1, %edi
send:   mov     %eax, %esi
        mov     $62, %eax                       /* kill */
        syscall
        jmp     wait
reap:   mov     $61, %eax                       /* wait4(-1, &status, WNOHANG | WUNTRACED, 0) */
        mov     $-1, %rdi
        lea     128(%rsp), %rsi
        mov     $3, %edx
        xor     %r10d, %r10d
        syscall
        test    %eax, %eax
        jz      wait
        js      done                            /* ECHILD: everything has ended */
        cmp     %ebx, %eax
        jne     reap
        cmpb    $0x7f, 128(%rsp)
        je      halted
        mov     128(%rsp), %ebp
        xor     %ebx, %ebx
        jmp     reap
halted: mov     $STOPPED, %edi
        movzbl  129(%rsp), %esi
        call    report
        jmp     reap
done:   mov     $ENDED, %edi
        mov     %ebp, %esi
        call    report
        xor     %edi, %edi
        cmp     $8, %eax                        /* nobody listens: it was started by the program itself */
        setne   %dil
exit:   mov     $231, %eax                      /* exit_group */
        syscall
no_fork:
        mov     %eax, %esi
        neg     %esi
        mov     $FORK, %edi
        call    report
        mov     $1, %edi
        jmp     exit
child:  mov     PARAMETERS + 8, %r12
        call    run
        mov     $1, %edi                        /* the last step executes the program: it has failed */
        jmp     exit
report: mov     %edi, 144 + 8(%rsp)             /* 8: the return address */
        mov     %esi, 148 + 8(%rsp)
        mov     PARAMETERS + 32, %edi
        lea     144 + 8(%rsp), %rsi
        mov     $8, %edx
        mov     $1, %eax                        /* write */
        syscall
        ret
run:    mov     (%r12), %rax
        cmp     $-1, %rax
        je      ran
        mov     8(%r12), %rdi
        mov     16(%r12), %rsi
        mov     24(%r12), %rdx
        mov     32(%r12), %r10
        mov     40(%r12), %r8
        mov     48(%r12), %r9
        syscall
        cmp     $-4095, %rax
        jae     failed
        mov     56(%r12), %rcx
        test    %rcx, %rcx
        jz      next
        mov     %rax, (%rcx)
next:   add     $STEP, %r12
        jmp     run
failed: mov     64(%r12), %edi
        test    %edi, %edi
        jz      next
        mov     %eax, %esi
        neg     %esi
        add     $8, %rsp                        /* the return address: as report expects the stack */
        call    report
        mov     $1, %edi
        jmp     exit
ran:    ret
