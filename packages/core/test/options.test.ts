import { describe, expect, test } from "vitest";
import { reason } from "../../../test/reason.ts";
import { refusal } from "../../../test/refusal.ts";
import { closeRange, EventFd, Location, mkdir, openat2, pipe, statx, Task } from "../src/index.ts";
import { nearest } from "../src/nearest.ts";

const refused = expect.objectContaining({ name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });

describe("an unknown option is refused", () => {
	test.each<[string, () => unknown]>([
		["pipe", () => pipe({ closeonexec: true } as object)],
		["openat2", () => openat2("/", { flag: [] } as object)],
		["mkdir", () => mkdir("/no/such/place", { modes: 0o700 } as object)],
		["statx", () => statx("/", { masks: [] } as object)],
		["closeRange", () => closeRange(1000, 1001, { unshared: true } as object)],
		["EventFd.create", () => EventFd.create({ value: 3 } as object)],
		["Location", () => new Location(undefined, "/", { followSymlinks: false } as object)],
	])("by %s", (_, call) => {
		expect(refusal(call)).toEqual(refused);
	});

	test("by the functions of a task, which lives on", async () => {
		expect(await reason(() => Task.clone({ namespace: ["net"] } as object))).toEqual(refused);
		await using task = await Task.clone();
		using file = openat2("/dev/null");
		expect(await reason(() => task.clone({ shares: ["files"] } as object))).toEqual(refused);
		expect(refusal(() => task.exec("/bin/true", undefined, { environment: {} } as object))).toEqual(refused);
		expect(refusal(() => task.put(file, { num: 3 } as object))).toEqual(refused);
		expect(await reason(() => task.process.wait({ exit: true } as object))).toEqual(refused);
		expect(refusal(() => task.process.poll({ nohang: true } as object))).toEqual(refused);
		expect(task.state).toBe("live");
	});

	test("by poll, if it is the signal of a wait", async () => {
		await using task = await Task.clone();
		expect(refusal(() => task.process.poll({ signal: AbortSignal.abort() } as object))).toEqual(refused);
	});

	test("if it is inherited", () => {
		expect(refusal(() => pipe(Object.create({ closeonexec: true })))).toEqual(refused);
	});

	test("with the name that was probably meant", () => {
		// The message is what this test is about: it repairs the call of a user who has mistyped the name.
		expect(refusal(() => pipe({ closeonexec: true } as object)).message).toContain("closeOnExec?");
		expect(refusal(() => pipe({ other: true } as object)).message).toContain("closeOnExec, blocking");
	});
});

test("an unknown option that is undefined is absent", () => {
	const [read, write] = pipe({ closeonexec: undefined } as object);
	read.close();
	write.close();
});

test("a property that a library has added to all objects is no option", () => {
	const prototype = Object.prototype as { added?: boolean };
	prototype.added = true;
	try {
		const [read, write] = pipe({ closeOnExec: true });
		read.close();
		write.close();
	} finally {
		delete prototype.added;
	}
});

test("an id map without a new user namespace is refused", async () => {
	for (const namespaces of [undefined, [], ["net"]] as const) {
		const options = { idMap: "root", ...(namespaces && { namespaces }) } as const;
		expect(await reason(() => Task.clone(options))).toEqual(refused);
	}
});

test.each([
	["killtree", "killTree"],
	["kilTre", "killTree"],
	["namespace", "namespaces"],
	["x", undefined],
	["somethingElse", undefined],
])("the name nearest to %s is %s", (written, name) => {
	expect(nearest(written, ["killTree", "namespaces", "cwd"])).toBe(name);
});
