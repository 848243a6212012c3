/**
 * The one piece of machine code in Longshore: a loop that makes a list of
 * system calls, without returning to JavaScript in between.
 *
 * Why it exists (docs/decisions/host-system-calls.md): the calls made for a network namespace must
 * not be torn apart (setns, do something, setns back, all on one thread of
 * libuv's pool), and errno, which is per thread, does not survive an asynchronous foreign
 * call. The raw system call returns its error in the result.
 *
 * One step is ten 64-bit words: number, flags, mask of indirect arguments, six
 * arguments, result. An argument whose mask bit is set is the address of the
 * value: that is how a step uses the result of an earlier one. After a failed
 * step all others are skipped (result -ECANCELED), except those with flag
 * 1 (always); a step with flag 2 (attempt) may fail without that effect. Returns
 * 1 when a step failed.
 */
export const STEP_BYTES = 80;
export const RESULT_OFFSET = 72;
export const FLAG_ALWAYS = 1;
export const FLAG_ATTEMPT = 2;

/** x86-64, System V calling convention: rdi = steps, rsi = count. */
const X64 = [
  '53 55 41 54 41 55', //          push rbx, rbp, r12, r13
  '48 89 fb 48 89 f5 45 31 e4', // mov rbx, rdi; mov rbp, rsi; xor r12d, r12d
  // loop:
  '48 85 ed 0f 84 90 00 00 00', // test rbp, rbp; jz done
  '45 85 e4 74 10', //             test r12d, r12d; jz go
  'f6 43 08 01 75 0a', //          test byte [rbx+8], always; jnz go
  '48 c7 43 48 83 ff ff ff', //    mov qword [rbx+72], -ECANCELED
  'eb 6f', //                      jmp next
  // go:
  '4c 8b 6b 10', //                mov r13, [rbx+16]
  '48 8b 7b 18 41 f6 c5 01 74 03 48 8b 3f', // mov rdi, [rbx+24]; test r13b, 1; jz +3; mov rdi, [rdi]
  '48 8b 73 20 41 f6 c5 02 74 03 48 8b 36', // rsi
  '48 8b 53 28 41 f6 c5 04 74 03 48 8b 12', // rdx
  '4c 8b 53 30 41 f6 c5 08 74 03 4d 8b 12', // r10
  '4c 8b 43 38 41 f6 c5 10 74 03 4d 8b 00', // r8
  '4c 8b 4b 40 41 f6 c5 20 74 03 4d 8b 09', // r9
  '48 8b 03 0f 05', //             mov rax, [rbx]; syscall
  '48 89 43 48', //                mov [rbx+72], rax
  '48 3d 01 f0 ff ff 72 0c', //    cmp rax, -4095; jb next
  'f6 43 08 02 75 06', //          test byte [rbx+8], attempt; jnz next
  '41 bc 01 00 00 00', //          mov r12d, 1
  // next:
  '48 83 c3 50 48 ff cd', //       add rbx, 80; dec rbp
  'e9 67 ff ff ff', //             jmp loop
  // done:
  '44 89 e0 41 5d 41 5c 5d 5b c3', // mov eax, r12d; pop r13, r12, rbp, rbx; ret
].join(' ');

/** AArch64, AAPCS64: x0 = steps, x1 = count. The kernel keeps x9 to x13 across svc. Instruction words. */
const ARM64 = [
  'aa0003e9 aa0103ea aa1f03eb', // mov x9, x0; mov x10, x1; mov x11, xzr
  'b400048a', // loop: cbz x10, done
  'f940052c b40000ab 3700008c', // ldr x12, [x9, 8]; cbz x11, go; tbnz x12, 0, go
  '92800f8d f900252d 1400001b', // mov x13, -ECANCELED; str x13, [x9, 72]; b next
  'f940092d', // go: ldr x13, [x9, 16]
  'f9400d20 3600004d f9400000', // ldr x0, [x9, 24]; tbz x13, 0, +8; ldr x0, [x0]
  'f9401121 3608004d f9400021', // x1
  'f9401522 3610004d f9400042', // x2
  'f9401923 3618004d f9400063', // x3
  'f9401d24 3620004d f9400084', // x4
  'f9402125 3628004d f94000a5', // x5
  'f9400128 d4000001 f9002520', // ldr x8, [x9]; svc 0; str x0, [x9, 72]
  'b13ffc1f 54000063', // cmn x0, 4095; b.lo next
  '3708004c b24003eb', // tbnz x12, 1, next; mov x11, 1
  '91014129 d100054a 17ffffdd', // next: add x9, x9, 80; sub x10, x10, 1; b loop
  'aa0b03e0 d65f03c0', // done: mov x0, x11; ret
].join(' ');

/** The bytes for an architecture as Node names it; undefined where there are none. */
export function machineCode(arch: string): Buffer | undefined {
  if (arch === 'x64') return Buffer.from(X64.replaceAll(' ', ''), 'hex');
  if (arch !== 'arm64') return undefined;
  return Buffer.from(ARM64.replaceAll(' ', ''), 'hex').swap32();
}
