import { describe, expect, test } from "vitest";
import { reason } from "../../../../test/reason.ts";
import { EventFd, openat2, pipe, Task } from "../../src/index.ts";

const temporary = () => openat2("/tmp", { flags: ["tmpfile", "rdwr"], mode: 0o600 });

describe.each([["near"], ["far"]])("write in a batch %s", (where) => {
	const start = async () => {
		const task = where === "near" ? undefined : await Task.clone();
		return { task: task ?? Task.near, [Symbol.asyncDispose]: async () => task?.[Symbol.asyncDispose]() };
	};

	test("text, bytes and no bytes are written in order, also to descriptors that the batch makes", async () => {
		await using started = await start();
		const { task } = started;
		const { file, lengths } = await task.batch(() => {
			const file = temporary();
			const lengths = [file.write("hällo"), file.write(Buffer.from(" world")), file.write("")];
			lengths.push(file.write("H", { position: 0 }));
			return { file, lengths };
		});
		expect(lengths).toEqual([6, 6, 0, 1]);
		task.run(() => {
			expect(`${file.read(99, { position: 0 })}`).toBe("Hällo world");
			file.close();
		});
	});

	test("a write of some of the bytes ends the batch before its next call", async () => {
		await using started = await start();
		const { task } = started;
		using counter = task.run(() => EventFd.create({ blocking: false }));
		const [read, write] = task.run(() => pipe({ blocking: false }));
		const error = await reason(() =>
			task.batch(() => {
				counter.write(1n);
				write.write(Buffer.alloc(2 ** 20));
				counter.write(2n);
			}),
		);
		expect(error).toMatchObject({ name: "SyscallError", code: "EIO", errno: -5, syscall: "write", step: 1 });
		task.run(() => {
			expect(counter.read()).toBe(1n);
			expect(read.read(2 ** 20).length).toBe(2 ** 16);
			for (const fd of [read, write]) fd.close();
		});
	});

	test("an error of the kernel stays what it is", async () => {
		await using started = await start();
		const { task } = started;
		const full = () => task.batch(() => openat2("/dev/full", { flags: ["wronly"] }).write("x"));
		expect(await reason(full)).toMatchObject({ code: "ENOSPC", syscall: "write", step: 1 });
		const readonly = () => task.batch(() => openat2("/dev/zero").write("x"));
		expect(await reason(readonly)).toMatchObject({ code: "EBADF", syscall: "write", step: 1 });
	});

	test("a megabyte is written whole, or no call after it runs", async () => {
		await using started = await start();
		const { task } = started;
		const bytes = Buffer.alloc(2 ** 20 + 3, "nearfar");
		const file = await task.batch(() => {
			const file = temporary();
			file.write(bytes);
			return file;
		});
		expect(task.run(() => file.read(bytes.length + 1, { position: 0 })).equals(bytes)).toBe(true);
		file.close();
	});
});

test("the first calls of a task may write, and a short write then fails the clone", async () => {
	const [read, write] = pipe({ blocking: false });
	await using task = await Task.clone({ begin: (task) => void task.put(write).write("first") });
	expect([`${read.read(9)}`, task.state]).toEqual(["first", "live"]);
	const short = () => Task.clone({ begin: (task) => void task.put(write).write(Buffer.alloc(2 ** 20)) });
	expect(await reason(short)).toMatchObject({ code: "EIO", syscall: "write", step: 1 });
	for (const fd of [read, write]) fd.close();
});
