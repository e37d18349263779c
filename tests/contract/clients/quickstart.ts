// The quickstart with types that openapi-typescript made: compiled and run by test_clients.py.
import type { components, paths } from './voice-api.d.ts'

type Schemas = components['schemas']
type Created = paths['/v1/calls']['post']['responses']['201']['content']['application/json']

const origin = process.env['VOICE_API_URL']
const headers = {
  Authorization: `Bearer ${process.env['VOICE_API_KEY']}`,
  'Content-Type': 'application/json'
}

async function send<Body> (path: keyof paths, body?: unknown, id = ''): Promise<Body> {
  const response = await fetch(`${origin}${path.replace('{call_id}', id)}`, {
    headers,
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) })
  })
  if (!response.ok) {
    const problem = await response.json() as Schemas['Problem']
    throw new Error(`${problem.code}: ${problem.detail}`)
  }
  return await response.json() as Body
}

function expect (holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

const { agents } = await send<Schemas['AgentList']>('/v1/agents')
const [first] = agents
if (first === undefined) throw new Error('there is no agent')

const call: Schemas['NewCall'] = { phone: '+12025550130', agent: first.key }
const { call_id } = await send<Created>('/v1/calls', call)
const queued = await send<Schemas['Call']>('/v1/calls/{call_id}', undefined, call_id)
expect(queued.status === 'queued' && queued.transcript === null, 'a new call is queued')

const completion: Schemas['Completion'] = {
  event_type: 'call.completed',
  provider_call_id: 'internal-provider-reference',
  status: 'completed',
  transcript: 'agent: Hello\nuser: Hi',
  duration: 120
}
const receipt = await send<Schemas['Receipt']>('/v1/webhooks/call-completed', completion)
expect(receipt.received, 'a completion is received')

const over = await send<Schemas['Call']>('/v1/calls/{call_id}', undefined, call_id)
expect(over.status === 'completed' && over.duration === 120, 'the call is over')
