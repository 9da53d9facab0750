import { afterEach, beforeEach, expect, test } from "vitest";
import { environmentVariable } from "../src/environment.ts";
import { pipe, probe } from "../src/index.ts";

const { env } = process;

beforeEach(() => {
	process.env = new Proxy<NodeJS.ProcessEnv>(env, { get: refuse });
});

afterEach(() => {
	process.env = env;
});

/** Throws what Deno throws where the environment is read without --allow-env. */
function refuse(_: NodeJS.ProcessEnv, name: string | symbol): never {
	throw Object.assign(new Error(`Requires env access to "${String(name)}"`), { name: "NotCapable" });
}

test("a variable that may not be read counts as unset", () => {
	expect(() => process.env.PATH).toThrow("PATH");
	expect(environmentVariable("PATH")).toBeUndefined();
});

test("a descriptor can be made where the environment may not be read", () => {
	for (const end of pipe()) end.close();
});

test("obstacles are found where the environment may not be read", async () => {
	await expect(probe()).resolves.toBeDefined();
});

test("another error of reading the environment is thrown", () => {
	process.env = new Proxy(env, {
		get() {
			throw new RangeError("out of memory");
		},
	});
	expect(() => environmentVariable("PATH")).toThrow(RangeError);
});
