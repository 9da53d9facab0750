import { endianness } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reason } from "../../../../test/reason.ts";
import { EventFd, FileDescriptor, openat2, pipe, type SyscallStruct, Task } from "../../src/index.ts";

const x64 = process.arch === "x64";
const [prctl, seccomp, getppid, writev, readv, memfdCreate, sendmsg, recvmsg, clock, socketpair, preadv] = x64
	? [157, 317, 110, 20, 19, 319, 46, 47, 228, 53, 295]
	: [167, 277, 173, 66, 65, 279, 211, 212, 113, 199, 69];
const [socket, bind, listen, getsockname, connect, accept4] = x64
	? [41, 49, 50, 51, 42, 288]
	: [198, 200, 201, 204, 203, 242];
const EXDEV = 18;
let far: Task;
beforeAll(async () => {
	far = await Task.clone();
});
afterAll(() => far[Symbol.asyncDispose]());

/** Returns a struct iovec, or an array of them. */
function iovec(...buffers: Uint8Array[]): SyscallStruct {
	const bytes = Buffer.alloc(16 * buffers.length);
	for (const [index, buffer] of buffers.entries()) bytes.writeUInt32LE(buffer.length, 16 * index + 8);
	return { bytes, at: buffers.map((buffer, index) => [16 * index, buffer]) };
}

/** Returns a struct msghdr with one buffer, and with a control message that carries a descriptor. */
function msghdr(buffer: Uint8Array, control: SyscallStruct): SyscallStruct {
	const bytes = Buffer.alloc(56);
	bytes.writeUInt32LE(1, 24);
	bytes.writeUInt32LE(control.bytes.length, 40);
	return {
		bytes,
		at: [
			[16, iovec(buffer)],
			[32, control],
		],
	};
}

function rights(): Buffer {
	const bytes = Buffer.alloc(24);
	for (const [offset, value] of [
		[0, 20],
		[8, 1],
		[12, 1],
	] as const)
		bytes.writeUInt32LE(value, offset);
	return bytes;
}

function filter(nr: number, errno: number): SyscallStruct {
	const code = [0x20, 0, 0x15 | (1 << 24), nr, 0x06, 0x0005_0000 | errno, 0x06, 0x7fff_0000];
	const bytes = new Uint8Array(16);
	bytes[0] = code.length / 2;
	return { bytes, at: [[8, new Uint8Array(new Uint32Array(code).buffer)]] };
}

test("the machine is a little-endian one, as the structs below are", () => expect(endianness()).toBe("LE"));

describe.each([["near"], ["far"]])("a call by number %s", (where) => {
	const target = () => (where === "near" ? Task.near : far) as Task;

	test("gets structs that hold addresses, and the bytes come back, but for the addresses", () => {
		const task = target();
		task.run(() => {
			const [read, write] = pipe();
			const parts = [Buffer.from("abc"), Buffer.from("defgh"), Buffer.alloc(0)];
			expect(task.syscall(writev, write, iovec(...parts), 3)).toBe(8n);
			const back = [Buffer.alloc(5), Buffer.alloc(9, "-")];
			const struct = iovec(...back);
			expect(task.syscall(readv, read, struct, 2)).toBe(8n);
			expect(back.map(String)).toEqual(["abcde", "fgh------"]);
			expect(struct.bytes.subarray(0, 8)).toEqual(Buffer.alloc(8));
			for (const fd of [read, write]) fd.close();
		});
	});

	test("gets structs in structs, with a descriptor in the innermost one", () => {
		const task = target();
		task.run(() => {
			const numbers = new Uint8Array(8);
			task.syscall(socketpair, 1, 5, 0, numbers); // AF_UNIX, SOCK_SEQPACKET
			const [one, other] = [...new Int32Array(numbers.buffer)].map((number) => FileDescriptor.from(number));
			using counter = EventFd.create({ initial: 5 });
			const sent = msghdr(Buffer.from("message"), { bytes: rights(), at: [[16, counter]] });
			expect(task.syscall(sendmsg, one as FileDescriptor, sent, 0)).toBe(7n);
			const [text, control] = [Buffer.alloc(20), Buffer.alloc(24)];
			const got = msghdr(text, { bytes: control, at: [] });
			expect(task.syscall(recvmsg, other as FileDescriptor, got, 0)).toBe(7n);
			expect(`${text.subarray(0, 7)}`).toBe("message");
			using copy = EventFd.from(control.readInt32LE(16));
			expect(copy.read()).toBe(5n);
			for (const fd of [one, other]) fd?.close();
		});
	});

	test("gets a megabyte through an address, and gives one back", () => {
		const task = target();
		task.run(() => {
			using file = openat2("/tmp", { flags: ["tmpfile", "rdwr"], mode: 0o600 });
			const [bytes, back] = [Buffer.alloc(2 ** 20 + 5, "nearfar"), Buffer.alloc(2 ** 20 + 5)];
			expect(task.syscall(writev, file, iovec(bytes), 1)).toBe(BigInt(bytes.length));
			expect(task.syscall(preadv, file, iovec(back), 1, 0, 0)).toBe(BigInt(bytes.length));
			expect(back.equals(bytes)).toBe(true);
		});
	});

	test("returns a descriptor where the result is one", async () => {
		const task = target();
		using memory = task.syscall(memfdCreate, Buffer.from("name\0"), 1, { fd: true });
		expect([memory.table === task.fdTable, memory.closeOnExec, task.run(() => memory.write("x"))]).toEqual([
			true,
			true,
			1,
		]);
		expect(await reason(() => task.syscall(memfdCreate, 8, 1, { fd: true }))).toMatchObject({ code: "EFAULT" });
	});

	test("in a batch is collected, uses and makes descriptors of it, and has no other result", async () => {
		const task = target();
		const bytes = new Uint8Array(16);
		const { memory, copy, results } = await task.batch(() => {
			const memory = task.syscall(memfdCreate, Buffer.from("name\0"), 1, { fd: true });
			const results = [task.syscall(writev, memory, iovec(Buffer.from("hello")), 1), task.syscall(clock, 1, bytes)];
			return { memory, copy: memory.dup(), results };
		});
		expect([results, [...bytes]]).toEqual([[undefined, undefined], Array(16).fill(0)]);
		expect(`${task.run(() => copy.read(9, { position: 0 }))}`).toBe("hello");
		for (const fd of [memory, copy]) fd.close();
	});

	test("in a batch finds a descriptor of the batch in a struct", async () => {
		const task = target();
		const numbers = new Uint8Array(8);
		task.syscall(socketpair, 1, 5, 0, numbers);
		const [one, other] = task.run(() =>
			[...new Int32Array(numbers.buffer)].map((number) => FileDescriptor.from(number)),
		);
		await task.batch(() => {
			using counter = EventFd.create({ initial: 9 });
			task.syscall(
				sendmsg,
				one as FileDescriptor,
				msghdr(Buffer.from("x"), { bytes: rights(), at: [[16, counter]] }),
				0,
			);
		});
		task.run(() => {
			const control = Buffer.alloc(24);
			task.syscall(recvmsg, other as FileDescriptor, msghdr(Buffer.alloc(1), { bytes: control, at: [] }), 0);
			using copy = EventFd.from(control.readInt32LE(16));
			expect(copy.read()).toBe(9n);
			for (const fd of [one, other]) fd?.close();
		});
	});

	test("in a batch fails with its step, and what was made before is closed", async () => {
		const task = target();
		let made: FileDescriptor | undefined;
		const batch = () =>
			task.batch(() => {
				made = task.syscall(memfdCreate, Buffer.from("name\0"), 1, { fd: true });
				task.syscall(writev, made, { bytes: new Uint8Array(16), at: [] }, 2000);
				openat2("/dev/null");
			});
		expect(await reason(batch)).toMatchObject({ name: "SyscallError", code: "EINVAL", syscall: "syscall", step: 1 });
		expect(made?.closed).toBe(true);
	});

	test("what the kernel has written comes back beside a descriptor", () => {
		const task = target();
		const open = (type = 1) => task.syscall(socket, 1, type, 0, { fd: true }); // AF_UNIX, SOCK_STREAM
		using server = open();
		using client = open();
		const address = new Uint8Array(110); // struct sockaddr_un
		const length = new Uint32Array([address.length]);
		const size = new Uint8Array(length.buffer);
		task.syscall(bind, server, Uint8Array.of(1, 0), 2); // the kernel chooses a name
		task.syscall(listen, server, 1);
		task.syscall(getsockname, server, address, size);
		task.syscall(connect, client, address, length[0] ?? 0);
		length[0] = address.length;
		address.fill(0);
		using _accepted = task.syscall(accept4, server, address, size, 0, { fd: true });
		expect([address[0], length[0]]).toEqual([1, 2]); // the client has no name
	});

	test("refuses words outside of the bytes, structs without an end, and other objects", async () => {
		const task = target();
		const bytes = new Uint8Array(16);
		const endless: SyscallStruct = { bytes, at: [] };
		const transferred = new Uint8Array(8);
		structuredClone(transferred.buffer, { transfer: [transferred.buffer] });
		Object.assign(endless, { at: [[0, endless]] });
		const wrong: [unknown, string][] = [
			[{ bytes, at: [[9, bytes]] }, "ERR_OUT_OF_RANGE"],
			[{ bytes, at: [[-1, bytes]] }, "ERR_OUT_OF_RANGE"],
			[{ bytes: new Uint8Array(3), at: [[0, bytes]] }, "ERR_INVALID_ARG_VALUE"],
			[{ bytes: transferred, at: [] }, "ERR_INVALID_ARG_VALUE"],
			[transferred, "ERR_INVALID_ARG_VALUE"],
			[{ bytes, at: [[0, 5]] }, "ERR_INVALID_ARG_TYPE"],
			[{ bytes, at: 5 }, "ERR_INVALID_ARG_TYPE"],
			[{ bytes: [1, 2, 3], at: [] }, "ERR_INVALID_ARG_TYPE"],
			[endless, "ERR_INVALID_ARG_VALUE"],
			[{ fd: "yes" }, "ERR_INVALID_ARG_TYPE"],
		];
		for (const [struct, code] of wrong) {
			expect(await reason(() => task.syscall(writev, -1, struct as never))).toMatchObject({ code });
		}
	});
});

test.each([["at once"], ["in a batch"]])(
	"a seccomp filter is one call %s: a call fails with the errno of choice",
	async (how) => {
		await using task = await Task.clone();
		const install = () => {
			task.syscall(prctl, 38, 1, 0, 0, 0); // PR_SET_NO_NEW_PRIVS
			task.syscall(seccomp, 1, 0, filter(getppid, EXDEV)); // SECCOMP_SET_MODE_FILTER
		};
		if (how === "at once") install();
		else await task.batch(install);
		expect(await reason(() => task.syscall(getppid))).toMatchObject({ code: "EXDEV", errno: -EXDEV });
		expect(await reason(() => task.batch(() => task.syscall(getppid)))).toMatchObject({ code: "EXDEV", step: 0 });
	},
);
