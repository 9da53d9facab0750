import { closeSync, openSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { reason } from "../../../test/reason.ts";
import { forbid } from "../../../test/seccomp.ts";
import * as core from "../src/index.ts";
import { chdir, FileDescriptor, NearfarError, openat2, SyscallError, Task } from "../src/index.ts";

const AT_FDCWD = -100;
const chdirNumber = process.arch === "x64" ? 80 : 49;
const renameat2 = process.arch === "x64" ? 316 : 276;

describe("SyscallError", () => {
	test("looks like what node:fs throws for the same refusal", async () => {
		const ours = (await reason(() => openat2("/nope"))) as SyscallError;
		const nodes = (await reason(() => openSync("/nope", "r"))) as NodeJS.ErrnoException;
		expect(ours).toBeInstanceOf(SyscallError);
		expect(ours).toMatchObject({ code: nodes.code, errno: nodes.errno, path: nodes.path, syscall: "openat2" });
		expect(ours.message).toBe(nodes.message.replace(", open ", ", openat2 "));
		expect(ours).not.toHaveProperty("task");
		expect(ours).not.toHaveProperty("dest");
		expect(ours).not.toHaveProperty("step");
	});

	test("names the task in which the call was made", async () => {
		await using task = await Task.clone();
		const far = await reason(() => task.run(() => openat2("/nope")));
		expect(far).toMatchObject({ code: "ENOENT", syscall: "openat2", path: "/nope", task: task.toString() });
	});

	test.each(["one call", "a batch"])("keeps the number of an error without a name: %s", async (how) => {
		await using task = await Task.clone();
		forbid(task, chdirNumber, 524); // ENOTSUPP, which only the kernel uses
		const failed = await reason(() => (how === "a batch" ? task.batch(() => chdir("/")) : task.run(() => chdir("/"))));
		expect(failed).toMatchObject({ code: "Unknown system error -524", errno: -524 });
	});

	test("keeps the number of an error without a name of a program that cannot begin", async () => {
		await using task = await Task.clone();
		forbid(task, process.arch === "x64" ? 59 : 221, 524);
		for (const path of ["/bin/true", "true"]) {
			expect(await reason(() => task.exec(path))).toMatchObject({ syscall: "execve", errno: -524 });
		}
	});

	test("carries a path that is no UTF-8 as well as it can be shown", () => {
		const error = expect.objectContaining({ code: "ENOENT", path: "/nope/\ufffd" });
		expect(() => openat2(Buffer.from("/nope/\xff", "latin1"))).toThrow(error);
	});

	test.each([
		["ECHILD", -10],
		["EUCLEAN", -117],
		["EDQUOT", -122],
		["Unknown system error -4000", -4000],
	])("knows %s, which util.getSystemErrorName may not", (code, errno) => {
		const name = code.startsWith("E") ? code : "UnknownErrno";
		const error = new SyscallError({ code: name, errno: -errno, syscall: "waitid" });
		expect(error).toMatchObject({ code, errno, syscall: "waitid", name: "SyscallError" });
	});

	test.each([["near"], ["far"]])("a raw call %s is named by its number or its name", async (where) => {
		await using task = where === "near" ? undefined : await Task.clone();
		const path = Buffer.from("/nope\0");
		const error = await reason(() => (task ?? Task.near).syscall(renameat2, AT_FDCWD, path, AT_FDCWD, path, 0));
		expect(error).toMatchObject({ code: "ENOENT", errno: -2, syscall: expect.stringMatching(/./) });
	});
});

describe("NearfarError", () => {
	const made: [code: string, error: Error][] = [
		["ERR_NEARFAR_NAMESPACE_MISMATCH", new core.NamespaceMismatchError("m")],
		["ERR_NEARFAR_FD_TABLE_MISMATCH", new core.FDTableMismatchError("m")],
		["ERR_NEARFAR_ADDRESS_SPACE_MISMATCH", new core.AddressSpaceMismatchError("m")],
		["ERR_NEARFAR_CLOSED", new core.ClosedError("m")],
		["ERR_NEARFAR_TASK_GONE", new core.TaskGoneError("m")],
		["ERR_NEARFAR_BATCH", new core.BatchError("m")],
		["ERR_NEARFAR_MULTITHREADED", new core.MultithreadedError("m")],
		["ERR_NEARFAR_CHILD_BUSY", new core.ChildBusyError("m")],
		["ERR_NEARFAR_UNSUPPORTED_PLATFORM", new core.UnsupportedPlatformError("m")],
	];

	test.each(made)("%s is its code, and its class its name", (code, error) => {
		expect(error).toBeInstanceOf(NearfarError);
		expect(error).toMatchObject({ code, name: error.constructor.name, message: "m" });
	});

	test("a LoadError says what to do, and which package is missing", () => {
		const details = { packageName: "@nearfar/core-linux-x64-musl", installed: [] };
		const error = new core.LoadError("NOT_INSTALLED", "m", ["npm install", "yarn"], details);
		expect(error).toBeInstanceOf(NearfarError);
		expect(error).toMatchObject({ name: "LoadError", code: "ERR_NEARFAR_NOT_INSTALLED", ...details });
		expect(error).toMatchObject({ fix: ["npm install", "yarn"], message: "m: npm install; or yarn" });
	});

	test("both mismatches are mismatches of a namespace", () => {
		expect(new core.FDTableMismatchError("")).toBeInstanceOf(core.NamespaceMismatchError);
		expect(new core.AddressSpaceMismatchError("")).toBeInstanceOf(core.NamespaceMismatchError);
	});
});

describe("a descriptor that is not open is EBADF", () => {
	test.each([["from"], ["borrow"]] as const)("FileDescriptor.%s", (make) => {
		expect(() => FileDescriptor[make](54321)).toThrow(
			expect.objectContaining({ name: "SyscallError", code: "EBADF", errno: -9 }),
		);
	});

	test("a number that somebody else has closed", () => {
		const fd = FileDescriptor.from(openSync("/dev/null", "r"));
		closeSync(fd.fd);
		expect(() => fd.read(1)).toThrow(expect.objectContaining({ code: "EBADF", syscall: "read" }));
		expect(() => fd.close()).toThrow(expect.objectContaining({ code: "EBADF", syscall: "close" }));
		expect(fd.closed).toBe(true);
		fd.close();
	});
});
