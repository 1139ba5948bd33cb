/* Start a recorded program and be its init, on x86-64. Assembled into machine_code.py; a test compares the two.
   The parameters lie at 0x400800, eight bytes each: umask, directory, path, argv, envp, and two messages with their
   lengths (directory cannot be entered; program cannot be executed), a list of steps, a seccomp filter (struct
   sock_fprog), and a third message with its length (a step has failed). With an argument of its own, it makes standard
   error the same as standard output. See elf.py.
   A step has five words: the number of a call and four arguments; -1 ends the list. A first argument of -1 is the result
   of the step before. Two numbers are no calls: -2 opens (path, flags), -3 makes a pipe that brings the content of a file
   (descriptor), by a process that is nobody's but this init's; its result is the end to read from.
   Neither what is opened nor the program is reached through a magic link: /proc/self/exe would be this program. */
        .set    PARAMETERS, 0x400800
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
        call    fork
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
        cmp     $1, %r12d
        je      1f
        mov     $1, %edi
        mov     $2, %esi
        mov     $33, %eax                       /* dup2(1, 2) */
        syscall
1:      mov     PARAMETERS + 72, %rbx
step:   mov     (%rbx), %rax
        cmp     $-1, %rax
        je      execute
        mov     8(%rbx), %rdi
        mov     16(%rbx), %rsi
        mov     24(%rbx), %rdx
        mov     32(%rbx), %r10
        add     $40, %rbx
        cmp     $-1, %rdi
        cmove   %rbp, %rdi                      /* the result of the step before */
        cmp     $-2, %rax
        je      inside
        cmp     $-3, %rax
        je      pipe
        syscall
check:  cmp     $-4095, %rax
        jae     no_input
        mov     %rax, %rbp
        jmp     step
inside: call    open_inside
        jmp     check
pipe:   mov     %edi, %r13d
        sub     $16, %rsp
        mov     %rsp, %rdi
        mov     $0x80000, %esi                  /* O_CLOEXEC */
        mov     $293, %eax                      /* pipe2 */
        syscall
        mov     (%rsp), %ebp
        mov     4(%rsp), %r14d
        add     $16, %rsp
        test    %eax, %eax
        js      no_input
        call    fork
        js      no_input
        jnz     fed
        call    fork
        jnz     leave
        mov     %ebp, %edi
        call    close
feed:   mov     $40, %eax                       /* sendfile */
        mov     %r14d, %edi
        mov     %r13d, %esi
        xor     %edx, %edx
        mov     $0x40000000, %r10d
        syscall
        test    %rax, %rax
        jg      feed
leave:  xor     %edi, %edi
        jmp     exit
fed:    mov     %eax, %edi
        xor     %esi, %esi
        xor     %edx, %edx
        xor     %r10d, %r10d
        mov     $61, %eax                       /* wait4 */
        syscall
        mov     %r14d, %edi
        call    close
        mov     %r13d, %edi
        call    close
        mov     %ebp, %eax
        jmp     check
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
        mov     PARAMETERS + 80, %rdx
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
        mov     PARAMETERS + 88, %rsi
        mov     PARAMETERS + 96, %rdx
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
fork:   mov     $56, %eax                       /* clone(SIGCHLD) */
        mov     $SIGCHLD, %edi
        xor     %esi, %esi
        xor     %edx, %edx
        xor     %r10d, %r10d
        xor     %r8d, %r8d
        syscall
        test    %eax, %eax
        ret
close:  mov     $3, %eax
        syscall
        ret
say:    mov     $1, %eax                        /* write */
        mov     $2, %edi
        syscall
        ret
