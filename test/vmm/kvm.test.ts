import { expect, test } from 'vitest';
import { KvmCall, KvmError, KvmMsr, Pvclock, PvclockWall } from '../../assembly/shared/kvm.ts';
import { Layout } from '../../assembly/shared/layout.ts';
import { GuestMemory } from '../../src/vcpu/guest-memory.ts';
import { makeClock } from '../../src/vmm/clock.ts';
import { makeKvm } from '../../src/vmm/kvm.ts';
import { createMachine } from '../../src/vmm/machine.ts';
import { PhysicalMemory } from '../../src/vmm/physical-memory.ts';
import { systemModule } from '../support/runtime.ts';
import { kernel } from './kernel.ts';

const SYSTEM = systemModule();
const RAM = 1 << 20;
const START = 1_700_000_000_250;

function made() {
  const memory = new PhysicalMemory(new GuestMemory(Layout.FLOOR + RAM, 'little'));
  memory.map(0, RAM, Layout.WINDOW, true);
  const clock = makeClock({ kind: 'virtual', nanosecondsPerInstruction: 1, date: START });
  return { memory, clock, kvm: makeKvm(clock, memory) };
}
const bytesAt = (memory: PhysicalMemory, address: number, size: number): DataView => {
  const bytes = new Uint8Array(size);
  memory.read(address, bytes);
  return new DataView(bytes.buffer);
};

test('the clock: nanoseconds from a time stamp, as a guest computes them', () => {
  const { memory, clock, kvm } = made();
  clock.completed(5_000_000);
  kvm.msrWritten(KvmMsr.SYSTEM_TIME_NEW, 0x1000 | KvmMsr.ENABLE, 1000n);
  const view = bytesAt(memory, 0x1000, Pvclock.SIZE);
  const timeAt = (tsc: bigint): bigint => {
    const ticks = (tsc - view.getBigUint64(Pvclock.TSC_TIMESTAMP, true)) << BigInt(view.getInt8(Pvclock.TSC_SHIFT));
    return ((ticks * BigInt(view.getUint32(Pvclock.TSC_TO_SYSTEM_MUL, true))) >> 32n) + view.getBigUint64(Pvclock.SYSTEM_TIME, true);
  };
  expect(timeAt(5_001_000n)).toBe(5_000_000n);
  expect(timeAt(3_600_000_001_000n)).toBe(3_600_000_000_000n);
  expect(view.getUint8(Pvclock.FLAGS)).toBe(Pvclock.TSC_STABLE);
  const version = view.getUint32(0, true);
  expect(version & 1).toBe(0);
  kvm.msrWritten(KvmMsr.SYSTEM_TIME_NEW, 0x1000 | KvmMsr.ENABLE, 1000n);
  expect(memory.u32(0x1000)).toBe(version + 2);
});

test('the wall clock: the date at system time 0', () => {
  const { memory, clock, kvm } = made();
  clock.completed(7_000_000_000);
  kvm.msrWritten(KvmMsr.WALL_CLOCK_NEW, 0x2000, 0n);
  const view = bytesAt(memory, 0x2000, PvclockWall.SIZE);
  expect(view.getUint32(PvclockWall.SECONDS, true)).toBe(1_700_000_000);
  expect(view.getUint32(PvclockWall.NANOSECONDS, true)).toBe(250_000_000);
});

test('addresses that are no memory are ignored, and so is a clock that is switched off', () => {
  const { memory, kvm } = made();
  for (const value of [0xfffff001, RAM | 1, 0x1ffd]) kvm.msrWritten(KvmMsr.SYSTEM_TIME_NEW, value, 0n);
  kvm.msrWritten(KvmMsr.WALL_CLOCK_NEW, 0xfffffffc, 0n);
  kvm.msrWritten(KvmMsr.SYSTEM_TIME_NEW, 0x3000, 0n);
  expect(memory.u32(0x3000)).toBe(0);
  expect(kvm.hypercall(KvmCall.VAPIC_POLL_IRQ)).toBe(0);
  expect(kvm.hypercall(10)).toBe(KvmError.UNKNOWN);
});

/** CPUID, WRMSR, RDMSR and VMCALL of a guest. Where one of the four is wrong, it ends with another code. */
test.each(['interpret', 'translate'] as const)('a guest finds KVM and uses its clock: %s', async (executor) => {
  const image = kernel(
    // mov eax,1; cpuid; bt ecx,31; jnc fail
    ...[0xb8, 1, 0, 0, 0, 0x0f, 0xa2, 0x0f, 0xba, 0xe1, 31, 0x73, 0x50],
    // mov eax,0x40000000; cpuid; cmp eax,0x40000001; jne fail; cmp ebx,"KVMK"; jne fail
    ...[0xb8, 0, 0, 0, 0x40, 0x0f, 0xa2, 0x3d, 1, 0, 0, 0x40, 0x75, 0x42, 0x81, 0xfb, 0x4b, 0x56, 0x4d, 0x4b, 0x75, 0x3a],
    // mov ecx,0x4b564d01; mov eax,0x300001; xor edx,edx; wrmsr; rdmsr; cmp eax,0x300001; jne fail
    ...[0xb9, 1, 0x4d, 0x56, 0x4b, 0xb8, 1, 0, 0x30, 0, 0x31, 0xd2, 0x0f, 0x30, 0x0f, 0x32, 0x3d, 1, 0, 0x30, 0, 0x75, 0x23],
    // rdtsc; sub eax,[0x300008]; sbb edx,[0x30000c]; jc fail
    ...[0x0f, 0x31, 0x2b, 0x05, 8, 0, 0x30, 0, 0x1b, 0x15, 12, 0, 0x30, 0, 0x72, 0x13],
    // mov eax,99; vmcall; cmp eax,-1000; jne fail
    ...[0xb8, 99, 0, 0, 0, 0x0f, 0x01, 0xc1, 0x3d, 0x18, 0xfc, 0xff, 0xff, 0x75, 4],
    // mov al,21; jmp +2; fail: mov al,1; mov dx,0xf4; out dx,al; hlt
    ...[0xb0, 21, 0xeb, 2, 0xb0, 1, 0x66, 0xba, 0xf4, 0, 0xee, 0xf4],
  );
  const machine = await createMachine({
    machine: 'pc',
    runtime: SYSTEM,
    memory: 8 << 20,
    kernel: image,
    executor,
    clock: 'virtual',
    date: START,
  });
  expect((await machine.run())?.code).toBe(43);
  expect(machine.physical.u32(0x300018)).toBe(0x80000000);
});
