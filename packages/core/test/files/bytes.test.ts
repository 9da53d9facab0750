import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openat2, pipe, Task } from "../../src/index.ts";
import { makePlace } from "../place.ts";

const place = makePlace();
const folder = place.folder;

describe.each([["near"], ["far"]])("read and write %s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : place.task.run(fn));
	const path = join(folder, where);

	test("one after the other, and at a position that leaves the file's own", () => {
		run(() => {
			using file = openat2(path, { flags: ["rdwr", "creat"], mode: 0o600 });
			expect(file.write("hello")).toBe(5);
			expect(file.write(Buffer.from("HE"), { position: 0 })).toBe(2);
			expect(file.write("é", { position: 5n })).toBe(2);
			expect(file.read(10).toString()).toBe("é");
			expect(file.read(3, { position: 1 }).toString()).toBe("Ell");
			expect(file.read(10).length).toBe(0);
			expect(file.read(0, { position: 0n }).length).toBe(0);
		});
		expect(readFileSync(path, "utf8")).toBe("HElloé");
	});

	test("EBADF, EISDIR and EAGAIN", () => {
		run(() => {
			using written = openat2("/dev/null", { flags: ["wronly"] });
			using folder = openat2("/");
			const [read, write] = pipe({ blocking: false });
			expect(() => written.read(1)).toThrow(expect.objectContaining({ code: "EBADF", syscall: "read" }));
			expect(() => written.read(1, { position: 1 })).toThrow(
				expect.objectContaining({ code: "EBADF", syscall: "pread64" }),
			);
			expect(() => folder.read(1)).toThrow(expect.objectContaining({ code: "EISDIR", syscall: "read" }));
			expect(() => read.read(1)).toThrow(expect.objectContaining({ code: "EAGAIN", syscall: "read" }));
			expect(() => read.write("x")).toThrow(expect.objectContaining({ code: "EBADF", syscall: "write" }));
			expect(() => write.write(Buffer.alloc(2 ** 20))).not.toThrow(); // writes only a part
			expect(() => write.write("x")).toThrow(expect.objectContaining({ code: "EAGAIN", syscall: "write" }));
			read.close();
			write.close();
		});
	});

	test("1 MiB and more at once, whole", () => {
		const bytes = Buffer.alloc(2 ** 20 + 12345);
		for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(at, Math.min(at, bytes.length - 4));
		run(() => {
			using file = openat2(join(folder, `${where}-large`), { flags: ["rdwr", "creat"], mode: 0o600 });
			expect(file.write(bytes)).toBe(bytes.length);
			const read = file.read(bytes.length + 1, { position: 0 });
			expect(read.equals(bytes)).toBe(true);
			using zero = openat2("/dev/zero");
			expect(zero.read(2 ** 20).equals(Buffer.alloc(2 ** 20))).toBe(true);
		});
	});

	test.each([1, 4000, 4096, 16_000, 16_384, 65_535, 65_536, 65_537, 200_000])(
		"%i bytes, at the edges of a message",
		(size) => {
			const bytes = Buffer.alloc(size, "nearfar");
			run(() => {
				using file = openat2(join(folder, `${where}-edge`), { flags: ["rdwr", "creat", "trunc"], mode: 0o600 });
				expect(file.write(bytes)).toBe(size);
				expect(file.read(size, { position: 0 }).equals(bytes)).toBe(true);
			});
		},
	);
});

test("EPIPE near where nobody reads", () => {
	const [read, write] = pipe();
	read.close();
	expect(() => write.write("x")).toThrow(expect.objectContaining({ code: "EPIPE", syscall: "write" }));
	write.close();
});

test("a write far to a pipe that nobody reads ends the task by SIGPIPE: its signals are at their defaults", async () => {
	await using victim = await Task.clone();
	const write = () =>
		victim.run(() => {
			const [read, write] = pipe();
			read.close();
			write.write("x");
		});
	const status = { code: null, signal: "SIGPIPE", dumped: false };
	expect(write).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_TASK_GONE", status }));
	expect(await victim.process.exited).toEqual(status);
});

test("put and get keep the open file, and share its position", async () => {
	using near = openat2(join(folder, "near"));
	using far = place.task.put(near);
	using back = place.task.get(far);
	expect([far.file, back.file]).toEqual([near.file, near.file]);
	expect(far.file === near.file && back.file === near.file).toBe(true);
	expect([far.table, back.table]).toEqual([place.task.fdTable, Task.near.fdTable]);
	expect(near.read(2).toString()).toBe("HE");
	expect(place.task.run(() => far.read(2)).toString()).toBe("ll");
	expect(back.read(1).toString()).toBe("o");
	expect([far.closeOnExec, back.closeOnExec, near.closed]).toEqual([true, true, false]);
	using kept = place.task.put(near, { closeOnExec: false });
	expect(kept.closeOnExec).toBe(false);
});
