import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { probe } from "../../src/index.ts";

test("a probe leaves no descriptor to the garbage collector", async () => {
	setFlagsFromString("--expose-gc");
	const collect = runInNewContext("gc") as () => void;
	const warnings: Error[] = [];
	const note = (warning: Error) => void warnings.push(warning);
	process.on("warning", note);
	const timer = setInterval(collect, 1);
	try {
		await probe();
		collect();
		await new Promise((resolve) => setTimeout(resolve, 1)); // a finalizer runs in a task of its own
	} finally {
		clearInterval(timer);
		process.off("warning", note);
	}
	expect(warnings.filter(({ name }) => name === "NearfarLeakWarning")).toEqual([]);
});
