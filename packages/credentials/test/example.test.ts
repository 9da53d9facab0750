import { test } from "vitest";

test("the example of the README runs, and what it asserts is so", async () => {
	await import("../examples/first.ts");
});
