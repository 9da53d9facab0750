import { testExample } from "../../../test/example.ts";

testExample(import.meta.url);
