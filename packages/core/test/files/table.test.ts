import { describe, expect, test } from "vitest";
import { openat2, Task } from "../../src/index.ts";

const mismatch = expect.objectContaining({ name: "FDTableMismatchError", code: "ERR_NEARFAR_FD_TABLE_MISMATCH" });

describe("far", () => {
	test("close runs in the task that has the table, whichever is current", async () => {
		await using task = await Task.clone();
		await using other = await Task.clone();
		const [a, b, c] = task.run(() => [openat2("/dev/null"), openat2("/dev/null"), openat2("/dev/null")] as const);
		const open = () => task.run(() => [a, b, c].map((fd) => fd.closed || fd.closeOnExec));
		expect(open()).toEqual([true, true, true]);
		const number = a.fd;
		a.close();
		other.run(() => b.close());
		task.run(() => c.close());
		expect(() => task.syscall(process.arch === "x64" ? 3 : 57, number)).toThrow(
			expect.objectContaining({ code: "EBADF" }),
		);
	});

	test("a descriptor used while another table is current throws, and nothing reaches the kernel", async () => {
		await using task = await Task.clone();
		using near = openat2("/dev/null");
		using far = task.run(() => openat2("/dev/null"));
		expect(() => task.run(() => near.read(1))).toThrow(mismatch);
		expect(() => task.run(() => openat2(near))).toThrow(mismatch);
		expect(() => task.get(near)).toThrow(mismatch);
		expect(() => far.dup()).toThrow(mismatch);
		expect(() => far.write("x")).toThrow(mismatch);
		expect(() => task.put(far)).toThrow(mismatch);
		expect(() => task.exec("/bin/true", ["true"], { fds: [near] })).toThrow(mismatch);
		expect(task.state).toBe("live");
	});

	test("dupTo replaces what a task has under the number, but not its channel", async () => {
		await using task = await Task.clone();
		task.run(() => {
			using zero = openat2("/dev/zero");
			const old = openat2("/dev/null");
			using copy = zero.dupTo(old.fd);
			expect(old.closed).toBe(true);
			expect(copy.read(2)).toEqual(Buffer.alloc(2));
			expect(() => zero.dupTo(task.channelFd ?? 0)).toThrow(expect.objectContaining({ code: "ERR_OUT_OF_RANGE" }));
			expect(() => zero.dupTo(zero.fd)).toThrow(expect.objectContaining({ code: "EINVAL", syscall: "dup3" }));
			expect(zero.closed).toBe(false);
		});
	});
});
