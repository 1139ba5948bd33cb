/* Start a recorded program and be its init, on i386. The parameters have four bytes each. See x86_64.S. */
        .set    PARAMETERS, 0x400800
        .set    SIGCHLD, 17
/* the stack: 0 siginfo (128 bytes), 128 wait status, 132 signal set, 140 program (0 when it has ended); ebp its status */
        .globl  _start
_start: mov     (%esp), %edi                    /* argc */
        sub     $144, %esp
        mov     PARAMETERS, %ebx
        mov     $60, %eax                       /* umask */
        int     $0x80
        mov     PARAMETERS + 4, %ebx
        mov     $12, %eax                       /* chdir */
        int     $0x80
        test    %eax, %eax
        js      no_directory
        movl    $-1, 132(%esp)
        movl    $-1, 136(%esp)
        xor     %ebx, %ebx                      /* SIG_BLOCK */
        call    set_mask
        mov     $172, %eax                      /* prctl(PR_SET_CHILD_SUBREAPER, 1) */
        mov     $36, %ebx
        mov     $1, %ecx
        int     $0x80
        mov     $2, %eax                        /* fork */
        int     $0x80
        test    %eax, %eax
        js      no_program
        jz      child
        mov     %eax, 140(%esp)
        xor     %ebp, %ebp
wait:   mov     $177, %eax                      /* rt_sigtimedwait */
        lea     132(%esp), %ebx
        mov     %esp, %ecx
        xor     %edx, %edx
        mov     $8, %esi
        int     $0x80
        cmp     $SIGCHLD, %eax
        je      reap
        test    %eax, %eax
        js      wait
        mov     140(%esp), %ebx
        test    %ebx, %ebx
        jz      wait
        cmpl    $0, 8(%esp)                     /* si_code: a terminal told the program itself */
        jg      wait
        mov     %eax, %ecx
        mov     $37, %eax                       /* kill */
        int     $0x80
        jmp     wait
reap:   mov     $7, %eax                        /* waitpid(-1, &status, WNOHANG) */
        mov     $-1, %ebx
        lea     128(%esp), %ecx
        mov     $1, %edx
        int     $0x80
        test    %eax, %eax
        jz      wait
        js      done                            /* ECHILD: everything has ended */
        cmp     140(%esp), %eax
        jne     reap
        mov     128(%esp), %ebp
        movl    $0, 140(%esp)
        jmp     reap
done:   mov     %ebp, %ebx
        and     $0x7f, %ebx
        jnz     killed
        mov     %ebp, %ebx
        shr     $8, %ebx
        and     $0xff, %ebx
        jmp     exit
killed: add     $128, %ebx
exit:   mov     $252, %eax                      /* exit_group */
        int     $0x80
set_mask:
        mov     $175, %eax                      /* rt_sigprocmask */
        lea     132 + 4(%esp), %ecx             /* 4: the return address */
        xor     %edx, %edx
        mov     $8, %esi
        int     $0x80
        ret
child:  movl    $0, 132(%esp)
        movl    $0, 136(%esp)
        mov     $2, %ebx                        /* SIG_SETMASK */
        call    set_mask
        cmp     $1, %edi
        je      1f
        mov     $1, %ebx
        mov     $2, %ecx
        mov     $63, %eax                       /* dup2(1, 2) */
        int     $0x80
1:      mov     PARAMETERS + 36, %edi
step:   mov     (%edi), %eax
        cmp     $-1, %eax
        je      execute
        mov     4(%edi), %ebx
        mov     8(%edi), %ecx
        mov     12(%edi), %edx
        mov     16(%edi), %esi
        add     $20, %edi
        cmp     $-1, %ebx
        jne     1f
        mov     %ebp, %ebx                      /* the result of the step before */
1:      cmp     $-2, %eax
        je      inside
        cmp     $-3, %eax
        je      pipe
        int     $0x80
check:  cmp     $-4095, %eax
        jae     no_input
        mov     %eax, %ebp
        jmp     step
inside: call    open_inside
        jmp     check
pipe:   mov     %ebx, 8(%esp)                   /* the file; its pipe's ends are at 0 and 4 */
        mov     %esp, %ebx
        mov     $0x80000, %ecx                  /* O_CLOEXEC */
        mov     $331, %eax                      /* pipe2 */
        int     $0x80
        test    %eax, %eax
        js      no_input
        mov     $2, %eax                        /* fork */
        int     $0x80
        test    %eax, %eax
        js      no_input
        jnz     fed
        mov     $2, %eax                        /* fork */
        int     $0x80
        test    %eax, %eax
        jnz     leave
        mov     (%esp), %ebx
        call    close
feed:   mov     $239, %eax                      /* sendfile64 */
        mov     4(%esp), %ebx
        mov     8(%esp), %ecx
        xor     %edx, %edx
        mov     $0x40000000, %esi
        int     $0x80
        test    %eax, %eax
        jg      feed
leave:  xor     %ebx, %ebx
        jmp     exit
fed:    mov     %eax, %ebx
        xor     %ecx, %ecx
        xor     %edx, %edx
        mov     $7, %eax                        /* waitpid */
        int     $0x80
        mov     4(%esp), %ebx
        call    close
        mov     8(%esp), %ebx
        call    close
        mov     (%esp), %eax
        jmp     check
execute:
        mov     PARAMETERS + 8, %ebx
        mov     $0x280000, %ecx                 /* O_PATH | O_CLOEXEC */
        call    open_inside
        test    %eax, %eax
        js      no_program
        mov     $172, %eax                      /* prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) */
        mov     $38, %ebx
        mov     $1, %ecx
        xor     %edx, %edx
        xor     %esi, %esi
        xor     %edi, %edi
        int     $0x80
        mov     $172, %eax                      /* prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program) */
        mov     $22, %ebx
        mov     $2, %ecx
        mov     PARAMETERS + 40, %edx
        int     $0x80
        mov     PARAMETERS + 8, %ebx
        mov     PARAMETERS + 12, %ecx
        mov     PARAMETERS + 16, %edx
        mov     $11, %eax                       /* execve */
        int     $0x80
no_program:
        mov     %eax, %ebp
        mov     PARAMETERS + 28, %ecx
        mov     PARAMETERS + 32, %edx
        call    say
        mov     $127, %ebx
        cmp     $-2, %ebp                       /* ENOENT */
        je      exit
        cmp     $-20, %ebp                      /* ENOTDIR */
        je      exit
        mov     $126, %ebx
        jmp     exit
no_directory:
        mov     PARAMETERS + 20, %ecx
        mov     PARAMETERS + 24, %edx
        call    say
        mov     $125, %ebx
        jmp     exit
no_input:
        mov     PARAMETERS + 44, %ecx
        mov     PARAMETERS + 48, %edx
        call    say
        mov     $125, %ebx
        jmp     exit
open_inside:                                    /* (path in ebx, flags in ecx); see x86_64.S */
        sub     $24, %esp                       /* struct open_how */
        mov     %ecx, (%esp)
        movl    $0, 4(%esp)
        movl    $0, 8(%esp)
        movl    $0, 12(%esp)
        movl    $2, 16(%esp)                    /* RESOLVE_NO_MAGICLINKS */
        movl    $0, 20(%esp)
        mov     %ebx, %ecx
        mov     $-100, %ebx                     /* AT_FDCWD */
        mov     %esp, %edx
        mov     $24, %esi
        mov     $437, %eax                      /* openat2 */
        int     $0x80
        mov     %ecx, %ebx
        mov     (%esp), %ecx
        add     $24, %esp
        cmp     $-38, %eax                      /* ENOSYS */
        je      1f
        cmp     $-1, %eax                       /* EPERM */
        je      1f
        ret
1:      mov     $5, %eax                        /* open */
        int     $0x80
        ret
close:  mov     $6, %eax
        int     $0x80
        ret
say:    mov     $4, %eax                        /* write */
        mov     $2, %ebx
        int     $0x80
        ret
