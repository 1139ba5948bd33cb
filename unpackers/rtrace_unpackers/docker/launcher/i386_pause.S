/* Be the first process of a container that others work in, on i386. See x86_64_pause.S. */
        .set    SIGCHLD, 17
        .globl  _start
_start: sub     $136, %esp
        movl    $-1, 128(%esp)
        movl    $-1, 132(%esp)
        mov     $175, %eax                      /* rt_sigprocmask(SIG_BLOCK, all) */
        xor     %ebx, %ebx
        lea     128(%esp), %ecx
        xor     %edx, %edx
        mov     $8, %esi
        int     $0x80
wait:   mov     $177, %eax                      /* rt_sigtimedwait */
        lea     128(%esp), %ebx
        mov     %esp, %ecx
        xor     %edx, %edx
        mov     $8, %esi
        int     $0x80
        cmp     $15, %eax
        je      end
        cmp     $2, %eax
        je      end
        cmp     $SIGCHLD, %eax
        jne     wait
reap:   mov     $7, %eax                        /* waitpid(-1, NULL, WNOHANG) */
        mov     $-1, %ebx
        xor     %ecx, %ecx
        mov     $1, %edx
        int     $0x80
        test    %eax, %eax
        jg      reap
        jmp     wait
end:    mov     $252, %eax                      /* exit_group */
        xor     %ebx, %ebx
        int     $0x80
