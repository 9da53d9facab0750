import * as core from "@nearfar/core";
import { expect, test } from "vitest";
import * as process from "../src/index.ts";

test("the classes of processes and their errors are core's own", () => {
	const { kill, killpg, getDeathSignal, setDeathSignal, getNoNewPrivs, setNoNewPrivs, ...others } = process;
	expect(Object.keys(others)).toContain("ChildProcess");
	const cores = new Map(Object.entries(core) as [string, unknown][]);
	for (const [name, value] of Object.entries(others)) expect(value).toBe(cores.get(name));
});
