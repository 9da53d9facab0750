import type { Task } from "@nearfar/core";
import { adoptDescriptor } from "@nearfar/core/internal";

/**
 * From now on the kernel answers system call `nr` with `errno`, to the task and whatever it executes.
 *
 * @param first - The lower half of the first argument of the calls that are meant. Default: all calls.
 */
export function forbid(task: Task, nr: number, errno: number, first?: number): void {
	const [mmap, prctl, memfdCreate] = process.arch === "x64" ? [9, 157, 319] : [222, 167, 279];
	const [noNewPrivs, setSeccomp, filterMode] = [38, 22, 2];
	const compared = [
		instruction(0x20, 0, 0, 16), // load the lower half of the first argument
		instruction(0x15, 0, 1, first ?? 0),
	];
	const more = first === undefined ? [] : compared;
	const program = Buffer.concat([
		instruction(0x20, 0, 0, 0), // load the call's number
		instruction(0x15, 0, more.length + 1, nr), // is it the one?
		...more,
		instruction(0x06, 0, 0, 0x0005_0000 | errno), // SECCOMP_RET_ERRNO
		instruction(0x06, 0, 0, 0x7fff_0000), // SECCOMP_RET_ALLOW
	]);
	task.syscall(prctl, noNewPrivs, 1, 0, 0, 0);
	// struct sock_fprog holds an address: the filter has to lie in the task's memory before.
	const address = task.run(() => {
		using file = adoptDescriptor(Number(task.syscall(memfdCreate, Buffer.from("filter\0"), 1))); // MFD_CLOEXEC
		file.write(program);
		return task.syscall(mmap, 0, 4096, 1, 2, file, 0); // PROT_READ, MAP_PRIVATE
	});
	const fprog = Buffer.alloc(16);
	fprog.writeUInt16LE(program.length / 8);
	fprog.writeBigUInt64LE(address, 8);
	task.syscall(prctl, setSeccomp, filterMode, fprog, 0, 0);
}

function instruction(code: number, ifTrue: number, ifFalse: number, value: number): Buffer {
	const bytes = Buffer.alloc(8);
	bytes.writeUInt16LE(code);
	bytes.writeUInt8(ifTrue, 2);
	bytes.writeUInt8(ifFalse, 3);
	bytes.writeUInt32LE(value, 4);
	return bytes;
}
