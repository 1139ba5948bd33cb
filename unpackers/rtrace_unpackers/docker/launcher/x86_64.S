/* Start a recorded program and be its init, on x86-64. Assembled into machine_code.py; a test compares the two.
   The parameters lie at 0x400400, eight bytes each: umask, directory, path, argv, envp, and two messages with their
   lengths (directory cannot be entered; program cannot be executed), the path of standard input (0: the caller's) and
   the offset in it, a seccomp filter (struct sock_fprog), and a third message with its length (standard input cannot be
   opened). With an argument of its own, it makes standard error the same as standard output. See elf.py.
   Neither standard input nor the program is reached through a magic link: /proc/self/exe would be this program. */
        .set    PARAMETERS, 0x400400
        .set    SIGCHLD, 17
/* the stack: 0 siginfo (128 bytes), 128 wait status, 136 signal set */
        .globl  _start
_start: mov     (%rsp), %r12d                   /* argc */
        sub     $152, %rsp
        mov     PARAMETERS, %edi
        mov     $95, %eax                       /* umask */
        syscall
        mov     PARAMETERS + 8, %rdi
        mov     $80, %eax                       /* chdir */
        syscall
        test    %eax, %eax
        js      no_directory
        movq    $-1, 136(%rsp)
        xor     %edi, %edi                      /* SIG_BLOCK */
        call    set_mask
        mov     $157, %eax                      /* prctl(PR_SET_CHILD_SUBREAPER, 1) */
        mov     $36, %edi
        mov     $1, %esi
        syscall
        mov     $56, %eax                       /* clone(SIGCHLD) */
        mov     $SIGCHLD, %edi
        xor     %esi, %esi
        xor     %edx, %edx
        xor     %r10d, %r10d
        xor     %r8d, %r8d
        syscall
        test    %eax, %eax
        js      no_program
        jz      child
        mov     %eax, %ebx                      /* the program, 0 when it has ended */
        xor     %ebp, %ebp                      /* its wait status */
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
        test    %ebx, %ebx
        jz      wait
        cmpl    $0, 8(%rsp)                     /* si_code: a terminal told the program itself */
        jg      wait
        mov     %eax, %esi
        mov     %ebx, %edi
        mov     $62, %eax                       /* kill */
        syscall
        jmp     wait
reap:   mov     $61, %eax                       /* wait4(-1, &status, WNOHANG, 0) */
        mov     $-1, %rdi
        lea     128(%rsp), %rsi
        mov     $1, %edx
        xor     %r10d, %r10d
        syscall
        test    %eax, %eax
        jz      wait
        js      done                            /* ECHILD: everything has ended */
        cmp     %ebx, %eax
        jne     reap
        mov     128(%rsp), %ebp
        xor     %ebx, %ebx
        jmp     reap
done:   mov     %ebp, %edi
        and     $0x7f, %edi
        jnz     killed
        mov     %ebp, %edi
        shr     $8, %edi
        and     $0xff, %edi
        jmp     exit
killed: add     $128, %edi
exit:   mov     $231, %eax                      /* exit_group */
        syscall
set_mask:
        mov     $14, %eax                       /* rt_sigprocmask */
        lea     136 + 8(%rsp), %rsi             /* 8: the return address */
        xor     %edx, %edx
        mov     $8, %r10d
        syscall
        ret
child:  movq    $0, 136(%rsp)
        mov     $2, %edi                        /* SIG_SETMASK */
        call    set_mask
        mov     PARAMETERS + 72, %rdi
        test    %rdi, %rdi
        jz      opened
        xor     %esi, %esi                      /* O_RDONLY */
        call    open_inside
        test    %eax, %eax
        js      no_input
        mov     %eax, %ebx
        mov     %eax, %edi
        mov     PARAMETERS + 80, %rsi
        xor     %edx, %edx
        mov     $8, %eax                        /* lseek(file, offset, SEEK_SET) */
        syscall
        mov     %ebx, %edi
        xor     %esi, %esi
        mov     $33, %eax                       /* dup2(file, 0) */
        syscall
        mov     %ebx, %edi
        mov     $3, %eax                        /* close */
        syscall
opened: cmp     $1, %r12d
        je      execute
        mov     $1, %edi
        mov     $2, %esi
        mov     $33, %eax                       /* dup2(1, 2) */
        syscall
execute:
        mov     PARAMETERS + 16, %rdi
        mov     $0x280000, %esi                 /* O_PATH | O_CLOEXEC */
        call    open_inside
        test    %eax, %eax
        js      no_program
        mov     $157, %eax                      /* prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) */
        mov     $38, %edi
        mov     $1, %esi
        xor     %edx, %edx
        xor     %r10d, %r10d
        xor     %r8d, %r8d
        syscall
        mov     $157, %eax                      /* prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program) */
        mov     $22, %edi
        mov     $2, %esi
        mov     PARAMETERS + 88, %rdx
        syscall
        mov     PARAMETERS + 16, %rdi
        mov     PARAMETERS + 24, %rsi
        mov     PARAMETERS + 32, %rdx
        mov     $59, %eax                       /* execve */
        syscall
no_program:
        mov     %eax, %ebx
        mov     PARAMETERS + 56, %rsi
        mov     PARAMETERS + 64, %rdx
        call    say
        mov     $127, %edi
        cmp     $-2, %ebx                       /* ENOENT */
        je      exit
        cmp     $-20, %ebx                      /* ENOTDIR */
        je      exit
        mov     $126, %edi
        jmp     exit
no_directory:
        mov     PARAMETERS + 40, %rsi
        mov     PARAMETERS + 48, %rdx
        call    say
        mov     $125, %edi
        jmp     exit
no_input:
        mov     PARAMETERS + 96, %rsi
        mov     PARAMETERS + 104, %rdx
        call    say
        mov     $125, %edi
        jmp     exit
open_inside:                                    /* (path, flags); where openat2 is unknown or refused, by open */
        mov     %rsi, %r8
        sub     $24, %rsp                       /* struct open_how */
        mov     %rsi, (%rsp)
        movq    $0, 8(%rsp)
        movq    $2, 16(%rsp)                    /* RESOLVE_NO_MAGICLINKS */
        mov     $437, %eax                      /* openat2 */
        mov     %rdi, %rsi
        mov     $-100, %rdi                     /* AT_FDCWD */
        mov     %rsp, %rdx
        mov     $24, %r10d
        syscall
        add     $24, %rsp
        cmp     $-38, %eax                      /* ENOSYS */
        je      1f
        cmp     $-1, %eax                       /* EPERM */
        je      1f
        ret
1:      mov     %rsi, %rdi
        mov     %r8, %rsi
        mov     $2, %eax                        /* open */
        syscall
        ret
say:    mov     $1, %eax                        /* write */
        mov     $2, %edi
        syscall
        ret
