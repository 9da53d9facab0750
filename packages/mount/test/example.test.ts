import { test } from "vitest";
import { testExample } from "../../../test/example.ts";

testExample(import.meta.url);

test("examples/context.ts runs, and what it asserts is so", async () => {
	await import("../examples/context.ts");
});
