// Tests a pull request whose code nobody has read yet.
import { type Result, run } from "@nearfar/sandbox";

const limits = { time: 600_000, processes: 2000, fileSize: 2 ** 32, output: 10 * 2 ** 20 };

/** Installs and tests a checkout. `registry`: the only host that the installation reaches. Resolves with the step that failed, or the last. */
export async function testPullRequest(checkout: string, registry: string): Promise<Result<string>> {
	// The scripts of all dependencies run here. No token is in the environment, and the home directory is empty.
	const installed = await run("npm", ["ci"], {
		write: [checkout],
		cwd: checkout,
		network: { allow: [registry] },
		limits,
	});
	if (installed.code !== 0) return installed;
	// The tests reach no host, and the checkout stays as it is, whatever they write.
	return run("npm", ["test"], { write: [], scratch: [checkout], cwd: checkout, env: { CI: "true" }, limits });
}
