// redocly generate-client: compiled and run by test_clients.py.
import { client } from './generated/redocly/client.ts'
import type { Problem, ValidationProblem } from './generated/redocly/client.ts'
import { key, origin, run } from './scenario.ts'
import type { Result } from './scenario.ts'

client.configure({ serverUrl: origin })
client.auth.bearer(key)

await run({
  listAgents: async () => result(await client.listAgents()),
  createCall: async (phone, agent) => result(await client.createCall({ body: { phone, agent } })),
  getCall: async (call_id) => result(await client.getCall({ path: { call_id } })),
  complete: async (status, transcript, duration) => result(await client.callCompleted({
    body: { event_type: 'call.completed', provider_call_id: 'internal-provider-reference', status, transcript, duration }
  }))
})

function result<T> ({ data, error }: { data?: T | undefined, error?: Problem | ValidationProblem | undefined }): Result<T> {
  if (error !== undefined) return { problem: error }
  if (data === undefined) throw new Error('the response is empty')
  return { data }
}
