import { Buffer } from "node:buffer";
import { describe, expect, test } from "vitest";
import { reason } from "../../../test/reason.ts";
import { closeRange, FileDescriptor, Location, openat2, Process, pipe, statx, Task } from "../src/index.ts";

// biome-ignore lint/suspicious/noExplicitAny: arguments that the types forbid
type Any = any;
const wrongTypes = [undefined, null, "1", 1n, {}, [], true, Symbol("one")] as Any[];
const outOfRange = [-1, -0, Number.NaN, Number.POSITIVE_INFINITY, 0.5, 2 ** 31, 2 ** 53] as Any[];

const near = (fd: number) => FileDescriptor.borrow(fd);
const numbers: [name: string, call: (value: Any) => unknown][] = [
	["FileDescriptor.from", (value) => FileDescriptor.from(value)],
	["FileDescriptor.borrow", (value) => FileDescriptor.borrow(value)],
	["FileDescriptor.dupTo", (value) => near(2).dupTo(value)],
	["FileDescriptor.read", (value) => near(2).read(value)],
	["new Process", (value) => new Process(value)],
	["Task.syscall", (value) => Task.near.syscall(value)],
];

describe.each(numbers)("%s refuses", (_, call) => {
	test.each(wrongTypes)("%s with ERR_INVALID_ARG_TYPE", (value) => {
		expect(() => call(value)).toThrow(expect.objectContaining({ name: "TypeError", code: "ERR_INVALID_ARG_TYPE" }));
	});
	test.each(outOfRange)("%s with ERR_OUT_OF_RANGE", (value) => {
		expect(() => call(value)).toThrow(expect.objectContaining({ name: "RangeError", code: "ERR_OUT_OF_RANGE" }));
	});
});

const refused: [what: string, code: string, call: (task: Task) => unknown][] = [
	["a NUL byte in a path", "ERR_INVALID_ARG_VALUE", () => openat2("a\0b")],
	["a NUL byte in a Buffer", "ERR_INVALID_ARG_VALUE", () => openat2(Buffer.from("a\0b"))],
	["a NUL byte in a URL", "ERR_INVALID_ARG_VALUE", () => openat2(new URL("file:///a%00b"))],
	["a NUL byte in a Location", "ERR_INVALID_ARG_VALUE", () => new Location(undefined, "a\0b")],
	["a NUL byte in a program's path", "ERR_INVALID_ARG_VALUE", (task) => task.exec("/bin/\0true")],
	["a NUL byte in argv", "ERR_INVALID_ARG_VALUE", (task) => task.exec("/bin/true", ["true", "\0"])],
	["a NUL byte in a name of env", "ERR_INVALID_ARG_VALUE", (task) => task.exec("true", [], { env: { "a\0": "" } })],
	["a NUL byte in a value of env", "ERR_INVALID_ARG_VALUE", (task) => task.exec("true", [], { env: { a: "\0" } })],
	["= in a name of env", "ERR_INVALID_ARG_VALUE", (task) => task.exec("true", [], { env: { "a=b": "" } })],
	["a path that is a number", "ERR_INVALID_ARG_TYPE", () => openat2(3 as Any)],
	["a URL that is no file", "ERR_INVALID_URL_SCHEME", () => openat2(new URL("http://localhost/"))],
	["options that are a number", "ERR_INVALID_ARG_TYPE", () => openat2("/", 3 as Any)],
	["options that are an array", "ERR_INVALID_ARG_TYPE", () => pipe([] as Any)],
	["a flag nobody knows", "ERR_INVALID_ARG_VALUE", () => openat2("/", { flags: ["sync", "toString"] as Any })],
	["flags as one name", "ERR_INVALID_ARG_TYPE", () => openat2("/", { flags: "directory" as Any })],
	["flags over 2^53", "ERR_OUT_OF_RANGE", () => openat2("/", { flags: 2 ** 53 })],
	["a negative mode", "ERR_OUT_OF_RANGE", () => openat2("/", { mode: -1 })],
	["a mode over 0o7777", "ERR_OUT_OF_RANGE", () => openat2("/", { mode: 0o10000 })],
	["closeOnExec that is a number", "ERR_INVALID_ARG_TYPE", () => pipe({ closeOnExec: 1 as Any })],
	["blocking that is text", "ERR_INVALID_ARG_TYPE", () => pipe({ blocking: "yes" as Any })],
	["closeOnExec = undefined", "ERR_INVALID_ARG_TYPE", () => Object.assign(near(2), { closeOnExec: undefined })],
	["blocking = 0", "ERR_INVALID_ARG_TYPE", () => Object.assign(near(2), { blocking: 0 })],
	["blocking = undefined", "ERR_INVALID_ARG_TYPE", () => Object.assign(near(2), { blocking: undefined })],
	["a negative position", "ERR_OUT_OF_RANGE", () => near(2).read(1, { position: -1n })],
	["a position over 2^53", "ERR_OUT_OF_RANGE", () => near(2).read(1, { position: 2n ** 53n })],
	["a position that is text", "ERR_INVALID_ARG_TYPE", () => near(2).write("", { position: "1" as Any })],
	["read options that are a number", "ERR_INVALID_ARG_TYPE", () => near(2).read(1, 1 as Any)],
	["data that is a number", "ERR_INVALID_ARG_TYPE", () => near(2).write(1 as Any)],
	["a negative lowest number", "ERR_OUT_OF_RANGE", () => near(2).dup({ min: -1 })],
	["a range over 2^32", "ERR_OUT_OF_RANGE", (task) => task.run(() => closeRange(3, 2 ** 32))],
	["a mask that statx does not know", "ERR_INVALID_ARG_VALUE", () => statx("/", { mask: ["everything"] as Any })],
	["a mask over 2^32", "ERR_OUT_OF_RANGE", () => statx("/", { mask: 2 ** 32 })],
	["flags over 2^32", "ERR_OUT_OF_RANGE", () => statx("/", { flags: 2 ** 32 })],
	["statx of a number", "ERR_INVALID_ARG_TYPE", () => statx(3 as Any)],
	["a directory that is a path", "ERR_INVALID_ARG_TYPE", () => new Location("/" as Any)],
	["an unknown signal", "ERR_INVALID_ARG_VALUE", (task) => task.process.kill("SIGNOPE" as Any)],
	["signal null", "ERR_INVALID_ARG_TYPE", (task) => task.process.kill(null as Any)],
	["signal 65", "ERR_OUT_OF_RANGE", (task) => task.process.kill(65)],
	["signal NaN", "ERR_OUT_OF_RANGE", (task) => task.process.killpg(Number.NaN)],
	["nice -21", "ERR_OUT_OF_RANGE", (task) => task.process.setpriority(-21)],
	["group 1", "ERR_OUT_OF_RANGE", () => new Process(1).killpg(0)],
	["a group that is a pid", "ERR_INVALID_ARG_TYPE", (task) => task.process.setpgid(1 as Any)],
	["a function that is none", "ERR_INVALID_ARG_TYPE", (task) => task.run(1 as Any)],
	["a descriptor that is a number, put", "ERR_INVALID_ARG_TYPE", (task) => task.put(1 as Any)],
	["a descriptor that is a number, get", "ERR_INVALID_ARG_TYPE", (task) => task.get(1 as Any)],
	["argv that is text", "ERR_INVALID_ARG_TYPE", (task) => task.exec("/bin/true", "true" as Any)],
	["a number in argv", "ERR_INVALID_ARG_TYPE", (task) => task.exec("/bin/true", [1] as Any)],
	["fds that are numbers", "ERR_INVALID_ARG_TYPE", (task) => task.exec("/bin/true", [], { fds: [1] as Any })],
	["env null", "ERR_INVALID_ARG_TYPE", (task) => task.exec("/bin/true", [], { env: null as Any })],
	["a seventh argument", "ERR_INVALID_ARG_VALUE", (task) => task.syscall(0, 1, 2, 3, 4, 5, 6, 7)],
	["text as an argument", "ERR_INVALID_ARG_TYPE", (task) => task.syscall(0, "1" as Any)],
	["exit code 256", "ERR_OUT_OF_RANGE", (task) => task.exit(256)],
	["exit code -1", "ERR_OUT_OF_RANGE", (task) => task.exit(-1)],
	["a batch of nothing", "ERR_INVALID_ARG_TYPE", (task) => task.batch(undefined as Any)],
	["a wait for nothing", "ERR_INVALID_ARG_VALUE", (task) => task.process.wait({ exited: false })],
	["a wait with a signal name", "ERR_INVALID_ARG_TYPE", (task) => task.process.wait({ signal: "SIGTERM" as Any })],
	["namespaces as a number", "ERR_INVALID_ARG_TYPE", () => Task.clone({ namespaces: 0x1000_0000 as Any })],
	["a namespace nobody knows", "ERR_INVALID_ARG_VALUE", () => Task.clone({ namespaces: ["users"] as Any })],
	["an unknown idMap", "ERR_INVALID_ARG_VALUE", () => Task.clone({ namespaces: ["user"], idMap: "all" as Any })],
	["idMap null", "ERR_INVALID_ARG_TYPE", () => Task.clone({ namespaces: ["user"], idMap: null as Any })],
	[
		"an idMap whose uids are a number",
		"ERR_INVALID_ARG_TYPE",
		() => Task.clone({ namespaces: ["user"], idMap: { uids: 1 as Any } }),
	],
	[
		"an empty idMap",
		"ERR_INVALID_ARG_VALUE",
		() => Task.clone({ namespaces: ["user"], idMap: { uids: [], gids: [] } }),
	],
	["a cgroup that is a path", "ERR_INVALID_ARG_TYPE", () => Task.clone({ cgroup: "/sys/fs/cgroup" as Any })],
	["CL3-06 tid 0", "ERR_OUT_OF_RANGE", () => Task.clone({ setTid: [0] })],
	["an abort signal that is none", "ERR_INVALID_ARG_TYPE", () => Task.clone({ signal: {} as Any })],
];

test.each(refused)("%s is refused with %s, and nothing happens", async (_, code, call) => {
	await using task = await Task.clone();
	const error = await reason(() => call(task));
	expect(error).toMatchObject({ code });
	expect(error instanceof RangeError).toBe(code === "ERR_OUT_OF_RANGE");
	expect(error instanceof TypeError).toBe(code !== "ERR_OUT_OF_RANGE");
	expect(task.run(() => task.syscall(39))).toBeTypeOf("bigint");
});

test.each(["inside", "outside", "count"])("an idMap refuses a %s that is no id", async (field) => {
	for (const value of [-1, Number.NaN, 2 ** 53, "1", undefined] as Any[]) {
		const mapping = { inside: 0, outside: 0, count: 1, [field]: value };
		const clone = Task.clone({ namespaces: ["user"], idMap: { uids: [mapping], gids: [mapping] } });
		await expect(clone).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_(INVALID_ARG|OUT_OF_RANGE)/) });
	}
});
