import * as core from "@nearfar/core";
import * as credentials from "@nearfar/credentials";
import { expect, test } from "vitest";
import * as process from "../src/index.ts";

test("the classes of processes and their errors are core's own, the process groups those of credentials", () => {
	const theirs: Record<string, unknown> = { ...core, ...credentials };
	const shared = Object.keys(process).filter((name) => name in theirs);
	const classes = [
		"ChildProcess",
		"Process",
		"ThreadProcess",
		"ExitError",
		"SyscallError",
		"MultithreadedError",
		"TaskGoneError",
	];
	expect(shared).toEqual(expect.arrayContaining([...classes, "getpgid", "getsid", "setpgid"]));
	for (const name of shared) expect(process).toHaveProperty(name, theirs[name]);
});
