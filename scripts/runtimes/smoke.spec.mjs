// Makes each case a test of jest or of vitest, both of which define `test` for a test file.
import { cases, execute } from "./cases.mjs";

for (const name of Object.keys(cases)) {
	test(name, async () => {
		const { result, error } = await execute(name);
		if (result === "failed") throw error;
	}, 60_000);
}
