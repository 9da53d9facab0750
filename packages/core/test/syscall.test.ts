import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openat2, Task } from "../src/index.ts";
import { expectNoLeaks } from "./leaks.ts";
import { reason } from "./reason.ts";

expectNoLeaks();

const getpid = process.arch === "x64" ? 39 : 172;

test("syscall passes numbers, descriptors and bytes, and brings bytes back", async () => {
	await using task = await Task.clone();
	const uname = process.arch === "x64" ? 63 : 160;
	const [far, near] = [Buffer.alloc(390), Buffer.alloc(390)];
	expect(task.syscall(uname, far)).toBe(0n);
	expect(Task.near.syscall(uname, near)).toBe(0n);
	expect(far.equals(near)).toBe(true);
	expect(`${far}`).toContain(readFileSync("/proc/sys/kernel/osrelease", "utf8").trim());
	using fd = task.run(() => openat2("/dev/zero"));
	const bytes = Buffer.alloc(7, 1);
	expect(task.syscall(process.arch === "x64" ? 0 : 63, fd, bytes, 7n)).toBe(7n);
	expect(bytes).toEqual(Buffer.alloc(7));
	expect(await reason(() => task.syscall(9999))).toMatchObject({ code: "ENOSYS", errno: -38 });
	expect(await reason(() => task.syscall(getpid, "no" as never))).toMatchObject({ name: "TypeError" });
});
