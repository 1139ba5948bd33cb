/* Be the first process of a container that others work in, on x86-64: say so with a byte, reap what ends, and end when
   standard input does (whoever holds its other end is gone) or on SIGTERM or SIGINT. Nobody in there can trace it. */
        .set    SIGCHLD, 17
/* the stack: 0 signalfd_siginfo (128 bytes), 128 signal set, 136 struct pollfd of standard input, 144 of the signalfd */
        .globl  _start
_start: sub     $152, %rsp
        mov     $157, %eax                      /* prctl(PR_SET_DUMPABLE, 0) */
        mov     $4, %edi
        xor     %esi, %esi
        syscall
        movq    $-1, 128(%rsp)
        mov     $14, %eax                       /* rt_sigprocmask(SIG_BLOCK, all) */
        xor     %edi, %edi
        lea     128(%rsp), %rsi
        xor     %edx, %edx
        mov     $8, %r10d
        syscall
        mov     $289, %eax                      /* signalfd4(-1, all) */
        mov     $-1, %rdi
        lea     128(%rsp), %rsi
        mov     $8, %edx
        xor     %r10d, %r10d
        syscall
        movl    $0, 136(%rsp)
        movl    $1, 140(%rsp)                   /* POLLIN */
        mov     %eax, 144(%rsp)
        movl    $1, 148(%rsp)
        mov     $1, %eax                        /* write(1, set, 1) */
        mov     $1, %edi
        lea     128(%rsp), %rsi
        mov     $1, %edx
        syscall
wait:   mov     $7, %eax                        /* poll */
        lea     136(%rsp), %rdi
        mov     $2, %esi
        mov     $-1, %edx
        syscall
        test    %eax, %eax
        js      wait
        cmpw    $0, 150(%rsp)
        je      input
        xor     %eax, %eax                      /* read the signal */
        mov     144(%rsp), %edi
        mov     %rsp, %rsi
        mov     $128, %edx
        syscall
        cmpl    $15, (%rsp)
        je      end
        cmpl    $2, (%rsp)
        je      end
        cmpl    $SIGCHLD, (%rsp)
        jne     wait
reap:   mov     $61, %eax                       /* wait4(-1, NULL, WNOHANG, 0) */
        mov     $-1, %rdi
        xor     %esi, %esi
        mov     $1, %edx
        xor     %r10d, %r10d
        syscall
        test    %eax, %eax
        jg      reap
        jmp     wait
input:  xor     %eax, %eax                      /* read what nobody meant for it */
        xor     %edi, %edi
        mov     %rsp, %rsi
        mov     $128, %edx
        syscall
        test    %eax, %eax
        jg      wait
end:    mov     $231, %eax                      /* exit_group */
        xor     %edi, %edi
        syscall
