import { fstatSync } from "node:fs";
import { openat2, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refused } from "../../../test/refusal.ts";
import { PidFd } from "../src/index.ts";

// Calls on a pidfd that this package does not offer are made by their numbers.
const x64 = process.arch !== "arm64";
const [FSETXATTR, FREMOVEXATTR, CLONE3] = x64 ? [190, 199, 435] : [7, 16, 435];
const [OPEN_TREE, MOVE_MOUNT, MOUNT] = x64 ? [428, 429, 165] : [428, 429, 40];
const CLONE_AUTOREAP = 0x4_0000_0000n;
const text = (value: string) => Buffer.from(`${value}\0`);

test("PFD-32 the pidfd of a clone is close-on-exec", async () => {
	await using task = await Task.clone();
	using pidfd = task.process.fd;
	expect(pidfd.closeOnExec).toBe(true);
});

needs("root", "Linux 6.17").test("PFD-34 trusted attributes are kept, those of users are not", async () => {
	await using task = await Task.clone();
	using pidfd = PidFd.open(task.process);
	const set = (name: string) => Task.near.syscall(FSETXATTR, pidfd, text(name), text("1"), 1, 0);
	expect(set("trusted.nearfar")).toBe(0n);
	expect(Task.near.syscall(FREMOVEXATTR, pidfd, text("trusted.nearfar"))).toBe(0n);
	expect(() => set("user.nearfar")).toThrow(refused("EOPNOTSUPP", "syscall"));
});

needs("root", "Linux 6.14").test("PFD-35 mounted on a file, the file is the process", async () => {
	await using task = await Task.clone({ namespaces: ["mnt"] });
	const [MS_PRIVATE, MS_REC, AT_EMPTY_PATH, OPEN_TREE_CLONE, F_EMPTY_PATH, AT_FDCWD] = [
		1 << 18,
		16384,
		0x1000,
		1,
		4,
		-100,
	];
	task.syscall(MOUNT, text("none"), text("/"), 0, MS_REC | MS_PRIVATE, 0);
	task.syscall(MOUNT, text("none"), text("/mnt"), text("tmpfs"), 0, 0);
	const pidfd = task.run(() => PidFd.self());
	task.run(() => openat2("/mnt/process", { flags: ["creat", "wronly"], mode: 0o600 }).close());
	const tree = task.syscall(OPEN_TREE, pidfd, text(""), OPEN_TREE_CLONE | AT_EMPTY_PATH, { fd: true });
	task.syscall(MOVE_MOUNT, tree, text(""), AT_FDCWD, text("/mnt/process"), F_EMPTY_PATH);
	const opened = task.run(() => openat2("/mnt/process"));
	using here = task.get(pidfd);
	using there = task.get(opened);
	expect(fstatSync(there.fd, { bigint: true }).ino).toBe(fstatSync(here.fd, { bigint: true }).ino);
});

test("PFD-36 children that nobody reaps: EINVAL on this kernel, whatever goes along", async () => {
	await using task = await Task.clone();
	for (const [extra, exitSignal] of [
		[0n, 17n],
		[0x8000n, 0n],
		[0x1_0000n, 0n],
	] as const) {
		const args = new BigUint64Array(11);
		args[0] = CLONE_AUTOREAP | extra;
		args[4] = exitSignal;
		expect(() => task.syscall(CLONE3, new Uint8Array(args.buffer), 88)).toThrow(refused("EINVAL", "syscall"));
	}
});
