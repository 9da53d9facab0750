import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Type-checks programs that lie outside of the tree, with the options of the tree.
 *
 * @param files - The paths of the programs.
 * @param names - The name that an error shows for each program.
 * @returns The errors, each as the name and the message.
 */
export function typeErrors(files: readonly string[], names: readonly string[]): string[] {
	const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
	const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root);
	const typeRoots = [join(root, "node_modules/@types")];
	const program = ts.createProgram(files, { ...options, rootDir: "/", typeRoots });
	return files.flatMap((file, index) =>
		ts
			.getPreEmitDiagnostics(program, program.getSourceFile(file))
			.map(({ messageText }) => `${names[index]} ${ts.flattenDiagnosticMessageText(messageText, " ")}`),
	);
}
