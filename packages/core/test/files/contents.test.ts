import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { neverOpen, refusal, refused } from "../../../../test/refusal.ts";
import { fsync, ftruncate, openat2, pipe, statx, Task } from "../../src/index.ts";
import { makePlace } from "../place.ts";
import { cloneWithScratch } from "../scratch.ts";

const place = makePlace();
const at = (name: string) => join(place.folder, name);
const both = { flags: ["rdwr"] } as const;
const calls = [
	["ftruncate", (fd: Parameters<typeof fsync>[0]) => ftruncate(fd, 1), "ftruncate"],
	["fsync", fsync, "fsync"],
	["fsync of the data alone", (fd: Parameters<typeof fsync>[0]) => fsync(fd, { dataOnly: true }), "fdatasync"],
] as const;

beforeEach(() => {
	rmSync(at("file"), { force: true });
	writeFileSync(at("file"), "content");
});

describe.each([["near"], ["far"]])("%s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : place.task.run(fn));

	test("ftruncate cuts a file off, and makes it longer with zeros", () => {
		run(() => {
			using file = openat2(at("file"), both);
			ftruncate(file, 3);
			ftruncate(file, 5n);
		});
		expect(readFileSync(at("file"))).toEqual(Buffer.from("con\0\0"));
	});

	test("ftruncate takes lengths above 4 GiB", () => {
		run(() => {
			using file = openat2(at("file"), both);
			ftruncate(file, 2 ** 33 + 1);
			expect(statx(file).size).toBe(2n ** 33n + 1n);
		});
		truncateSync(at("file"), 0);
	});

	test("fsync waits for a file and for a directory", () => {
		run(() => {
			using file = openat2(at("file"), both);
			fsync(file);
			fsync(file, { dataOnly: true });
			fsync(file, { dataOnly: false });
			using folder = openat2(place.folder);
			fsync(folder);
		});
	});

	test.each(calls)(
		"%s refuses a number that is not open, and a descriptor that only names a file",
		(_, call, syscall) => {
			run(() => {
				neverOpen((fd) => expect(() => call(fd)).toThrow(refused("EBADF", syscall)));
				using name = openat2(at("file"), { flags: ["path"] });
				expect(() => call(name)).toThrow(refused("EBADF", syscall));
			});
		},
	);

	test.each(calls)("%s refuses a pipe", (_, call, syscall) => {
		run(() => {
			const [read, write] = pipe();
			expect(() => call(write)).toThrow(refused("EINVAL", syscall));
			read.close();
			write.close();
		});
	});

	test("ftruncate refuses a file that is open for reading, and a directory", () => {
		run(() => {
			using file = openat2(at("file"));
			expect(() => ftruncate(file, 1)).toThrow(refused("EINVAL", "ftruncate"));
			using folder = openat2(place.folder);
			expect(() => ftruncate(folder, 1)).toThrow(refused("EINVAL", "ftruncate"));
		});
		expect(statSync(at("file")).size).toBe(7);
	});
});

test("a batch truncates and waits for the device", async () => {
	await using task = await cloneWithScratch();
	await task.batch(() => {
		using file = openat2("/tmp/file", { flags: ["creat", "rdwr"], mode: 0o600 });
		ftruncate(file, 100);
		fsync(file);
		fsync(file, { dataOnly: true });
	});
	expect(task.run(() => statx("/tmp/file").size)).toBe(100n);
});

test("ftruncate above the limit of a task kills the task with SIGXFSZ, which Node ignores", async () => {
	await using task = await Task.clone();
	const [setrlimit, RLIMIT_FSIZE] = [process.arch === "arm64" ? 164 : 160, 1];
	task.syscall(setrlimit, RLIMIT_FSIZE, Buffer.from(new BigUint64Array([100n, 100n]).buffer));
	const file = task.run(() => openat2(at("file"), both));
	task.run(() => ftruncate(file, 100));
	const gone = refusal(() => task.run(() => ftruncate(file, 101)));
	expect(gone).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE", status: { signal: "SIGXFSZ" } });
	expect(statSync(at("file")).size).toBe(100);
});

needs("/proc").test("ftruncate of a sealed memfd is EPERM", async () => {
	const [memfdCreate, fcntl] = process.arch === "arm64" ? [279, 25] : [319, 72];
	const [MFD_ALLOW_SEALING, F_ADD_SEALS, F_SEAL_SHRINK] = [2, 1033, 2];
	const { task } = place;
	const number = Number(task.syscall(memfdCreate, Buffer.from("sealed\0"), MFD_ALLOW_SEALING));
	task.run(() => {
		using file = openat2(`/proc/self/fd/${number}`, both);
		ftruncate(file, 10);
		task.syscall(fcntl, file, F_ADD_SEALS, F_SEAL_SHRINK);
		expect(() => ftruncate(file, 9)).toThrow(refused("EPERM", "ftruncate"));
		ftruncate(file, 11);
	});
	task.syscall(process.arch === "arm64" ? 57 : 3, number); // close
});

test("wrong arguments reach no kernel", async () => {
	using file = openat2(at("file"), both);
	expect(refusal(() => ftruncate(file, -1)).code).toBe("ERR_OUT_OF_RANGE");
	expect(refusal(() => ftruncate(file, 1.5)).code).toBe("ERR_OUT_OF_RANGE");
	expect(refusal(() => ftruncate(file, 2n ** 63n)).code).toBe("ERR_OUT_OF_RANGE");
	expect(refusal(() => ftruncate(file, "1" as never)).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal(() => ftruncate(file.fd as never, 1)).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal(() => fsync("file" as never)).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal(() => fsync(file, { dataOnly: 1 as never })).code).toBe("ERR_INVALID_ARG_TYPE");
	await using task = await Task.clone();
	for (const [, call] of calls)
		expect(refusal(() => task.run(() => call(file))).code).toBe("ERR_NEARFAR_FD_TABLE_MISMATCH");
	const closed = openat2(at("file"));
	closed.close();
	for (const [, call] of calls) expect(refusal(() => call(closed)).code).toBe("ERR_NEARFAR_CLOSED");
});
