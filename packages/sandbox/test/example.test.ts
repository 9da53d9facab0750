import { testExample } from "../../../test/example.ts";
import "./attempts.ts"; // it opens what lives as long as the process

testExample(import.meta.url);
