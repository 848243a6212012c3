/**
 * The first process of a PID namespace that a pod's containers share, as a whole program for Linux: it asks the kernel to
 * take its dead children away by itself (SIGCHLD ignored), and then waits for ever. As the first of its namespace
 * it gets no signal but SIGKILL from outside, and its end is the end of all others.
 */
export function pauseProgram(arch: string = process.arch): Uint8Array {
  const { machine, code } = arch === 'arm64' ? ARM64 : X64;
  const body = Buffer.concat([Buffer.from(code.replaceAll(' ', ''), 'hex'), IGNORE]);
  const size = HEADERS_BYTES + body.length;
  const header = Buffer.alloc(HEADERS_BYTES);
  // ELF-64 header: little endian, version 1, executable; one program header, no sections.
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(machine, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BASE + BigInt(HEADERS_BYTES), 24);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt16LE(64, 58);
  // The whole file is loaded, to be read and executed.
  header.writeUInt32LE(1, 64);
  header.writeUInt32LE(5, 68);
  header.writeBigUInt64LE(BASE, 80);
  header.writeBigUInt64LE(BASE, 88);
  header.writeBigUInt64LE(BigInt(size), 96);
  header.writeBigUInt64LE(BigInt(size), 104);
  header.writeBigUInt64LE(0x1_0000n, 112);
  return Buffer.concat([header, body]);
}

const HEADERS_BYTES = 64 + 56;
const BASE = 0x40_0000n;

/** The kernel's struct sigaction with SIG_IGN, right behind the code. */
const IGNORE = Buffer.from([1, ...Array.from({ length: 31 }, () => 0)]);

const X64 = {
  machine: 62,
  code:
    '6a11 5f' + // push 17 (SIGCHLD); pop rdi
    '488d3516000000' + // lea rsi, [rip + 22]
    '31d2' + // xor edx, edx
    '6a08 415a' + // push 8 (bytes of the mask); pop r10
    '6a0d 58 0f05' + // push 13 (rt_sigaction); pop rax; syscall
    '6a22 58 0f05' + // push 34 (pause); pop rax; syscall
    'ebf9' + // jmp to the push before
    '90909090', // to a multiple of eight
};

const ARM64 = {
  machine: 183,
  code:
    '200280d2' + // mov x0, #17 (SIGCHLD)
    'a1010010' + // adr x1, +52
    '020080d2' + // mov x2, #0
    '030180d2' + // mov x3, #8
    'c81080d2 010000d4' + // mov x8, #134 (rt_sigaction); svc #0
    '000080d2 010080d2 020080d2 030080d2 040080d2' + // mov x0 to x4, #0
    '280980d2 010000d4' + // mov x8, #73 (ppoll); svc #0
    'f9ffff17', // b to the first of the five
};
