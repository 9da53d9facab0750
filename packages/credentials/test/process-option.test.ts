import { type ProcessOption, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { statusNumbers } from "../../../test/status.ts";
import * as credentials from "../src/index.ts";

const [uid = -1, gid = -1] = [process.geteuid?.(), process.getegid?.()];

const setters: [name: string, set: (options?: ProcessOption) => unknown][] = [
	["setuid", (options) => credentials.setuid(uid, options)],
	["seteuid", (options) => credentials.seteuid(uid, options)],
	["setreuid", (options) => credentials.setreuid(uid, uid, options)],
	["setresuid", (options) => credentials.setresuid(uid, uid, uid, options)],
	["setfsuid", (options) => credentials.setfsuid(uid, options)],
	["setgid", (options) => credentials.setgid(gid, options)],
	["setegid", (options) => credentials.setegid(gid, options)],
	["setregid", (options) => credentials.setregid(gid, gid, options)],
	["setresgid", (options) => credentials.setresgid(gid, gid, gid, options)],
	["setfsgid", (options) => credentials.setfsgid(gid, options)],
	["setgroups", (options) => credentials.setgroups([], options)],
	["initgroups", (options) => credentials.initgroups("root", undefined, options)],
];

test.each(setters)("%s: in a task the option changes nothing about where the call runs", async (_, set) => {
	const before = statusNumbers("self", "Groups");
	await using task = await Task.clone();
	// An ordinary user may set the own ids, and no groups.
	const [plain, every] = [undefined, { process: true }].map((options) => task.run(() => refusal(() => set(options))));
	expect(every?.code).toBe(plain?.code);
	expect(statusNumbers("self", "Groups")).toEqual(before);
});

test.each(setters)("%s: near it needs the option, and in a batch near it cannot have it", async (_, set) => {
	expect(refusal(() => set()).code).toBe("ERR_NEARFAR_MULTITHREADED");
	expect(refusal(() => set({ process: false })).code).toBe("ERR_NEARFAR_MULTITHREADED");
	const code = (options: ProcessOption) => Task.near.batch(() => set(options)).then(Boolean, ({ code }) => code);
	expect(await code({})).toBe("ERR_NEARFAR_MULTITHREADED");
	expect(await code({ process: true })).toBe("ERR_NEARFAR_BATCH");
});

test.each(setters)("%s refuses an option that is none", (_, set) => {
	expect(refusal(() => set({ process: 1 } as never)).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal(() => set({ proces: true } as never)).code).toBe("ERR_INVALID_ARG_VALUE");
	expect(refusal(() => set(true as never)).code).toBe("ERR_INVALID_ARG_TYPE");
});
