/* Be the first process of a container that others work in, on i386. See x86_64_pause.S. */
        .set    SIGCHLD, 17
        .globl  _start
_start: sub     $152, %esp
        mov     $172, %eax                      /* prctl(PR_SET_DUMPABLE, 0) */
        mov     $4, %ebx
        xor     %ecx, %ecx
        int     $0x80
        movl    $-1, 128(%esp)
        movl    $-1, 132(%esp)
        mov     $175, %eax                      /* rt_sigprocmask(SIG_BLOCK, all) */
        xor     %ebx, %ebx
        lea     128(%esp), %ecx
        xor     %edx, %edx
        mov     $8, %esi
        int     $0x80
        mov     $327, %eax                      /* signalfd4(-1, all) */
        mov     $-1, %ebx
        lea     128(%esp), %ecx
        mov     $8, %edx
        xor     %esi, %esi
        int     $0x80
        movl    $0, 136(%esp)
        movl    $1, 140(%esp)                   /* POLLIN */
        mov     %eax, 144(%esp)
        movl    $1, 148(%esp)
        mov     $4, %eax                        /* write(1, set, 1) */
        mov     $1, %ebx
        lea     128(%esp), %ecx
        mov     $1, %edx
        int     $0x80
wait:   mov     $168, %eax                      /* poll */
        lea     136(%esp), %ebx
        mov     $2, %ecx
        mov     $-1, %edx
        int     $0x80
        test    %eax, %eax
        js      wait
        cmpw    $0, 150(%esp)
        je      input
        mov     $3, %eax                        /* read the signal */
        mov     144(%esp), %ebx
        mov     %esp, %ecx
        mov     $128, %edx
        int     $0x80
        cmpl    $15, (%esp)
        je      end
        cmpl    $2, (%esp)
        je      end
        cmpl    $SIGCHLD, (%esp)
        jne     wait
reap:   mov     $7, %eax                        /* waitpid(-1, NULL, WNOHANG) */
        mov     $-1, %ebx
        xor     %ecx, %ecx
        mov     $1, %edx
        int     $0x80
        test    %eax, %eax
        jg      reap
        jmp     wait
input:  mov     $3, %eax                        /* read what nobody meant for it */
        xor     %ebx, %ebx
        mov     %esp, %ecx
        mov     $128, %edx
        int     $0x80
        test    %eax, %eax
        jg      wait
end:    mov     $252, %eax                      /* exit_group */
        xor     %ebx, %ebx
        int     $0x80
