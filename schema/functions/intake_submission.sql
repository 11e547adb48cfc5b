-- The webhook's door. The gateway calls it as service_role, which bypasses row-level security on purpose; so it checks,
-- in this order and before any write: the secret, the organisation, the submission.
--
-- Three outcomes:
--   raised    the caller is at fault and must change the request; nothing was written
--   accepted  the submission is stored with its company
--   rejected  the submission is sound, but its company cannot be decided (CS001). The rejection must be kept, and what
--             is raised leaves no trace: so it is caught, stored, and returned
-- A repeated delivery (same organisation, same external id) returns what the first one stored.
--
-- SECURITY INVOKER: its power is the service role's, and nobody else may call it.
create function public.intake_submission(p_org_id uuid, p_external_id text, p_payload jsonb)
returns public.submissions
language plpgsql
set search_path = ''
as $$
declare
  -- PostgREST writes header names in lower case; a setting of an earlier transaction reads ''
  v_secret text := nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-webhook-secret';
  v_sender uuid;
  v_submission public.submissions;
  v_company_id uuid;
  v_reason text;
begin
  -- 1. The secret. It is found by its digest, so the time this takes says nothing about the secret itself.
  select s.org_id into v_sender
  from private.webhook_secrets as s
  where s.secret_hash = sha256(convert_to(v_secret, 'UTF8'));
  if not found then
    raise exception using
      errcode = 'invalid_authorization_specification',
      message = 'intake_submission: the webhook secret is missing or wrong',
      detail = 'The header X-Webhook-Secret matches no row of private.webhook_secrets.',
      hint = 'Send the secret that was agreed for this organisation.';
  end if;

  -- 2. The organisation: a secret speaks for one, and only one that exists can have a secret.
  if p_org_id is distinct from v_sender then
    raise exception using
      errcode = 'insufficient_privilege',
      message = 'intake_submission: the webhook secret does not belong to this organisation',
      detail = format('p_org_id = %s', coalesce(p_org_id::text, 'null')),
      hint = 'Send the organisation that the secret was agreed with.';
  end if;

  -- 3. The submission.
  v_reason := case
    when coalesce(btrim(p_external_id), '') = '' then 'p_external_id is empty'
    when jsonb_typeof(p_payload) is distinct from 'object' then 'p_payload is not a JSON object'
    when coalesce(public.normalise_name(p_payload ->> 'legal_name'), '') = '' then 'p_payload.legal_name is empty'
    when translate(p_payload ->> 'ein', '- ', '') !~ '^([0-9]{9})?$' then 'p_payload.ein is not nine digits'
  end;
  if v_reason is not null then
    raise exception using
      errcode = 'invalid_parameter_value', schema = 'public', table = 'submissions',
      message = 'intake_submission: ' || v_reason,
      detail = format('p_org_id = %s, p_external_id = %L', p_org_id, p_external_id),
      hint = 'Send p_external_id, and p_payload with legal_name and, if known, ein.';
  end if;

  -- Of several deliveries one gets past the unique constraint; the others wait here and return its row.
  insert into public.submissions (org_id, external_id, payload) values (p_org_id, p_external_id, p_payload)
  on conflict (org_id, external_id) do nothing
  returning * into v_submission;
  if not found then
    select s.* into strict v_submission
    from public.submissions as s
    where s.org_id = p_org_id and s.external_id = p_external_id;
    if v_submission.payload <> p_payload then
      raise exception using
        errcode = 'unique_violation', schema = 'public', table = 'submissions', column = 'external_id',
        message = format('intake_submission: external id %L was already used for another payload', p_external_id),
        detail = format('submissions.id = %s', v_submission.id),
        hint = 'Give every submission an external id of its own; repeat a delivery unchanged.';
    end if;
    return v_submission;
  end if;

  begin
    v_company_id := public.resolve_company(p_org_id, p_payload ->> 'legal_name', p_payload ->> 'ein');
    update public.submissions as s
    set status = 'accepted', company_id = v_company_id
    where s.org_id = p_org_id and s.id = v_submission.id
    returning * into v_submission;
  exception when sqlstate 'CS001' then
    get stacked diagnostics v_reason = message_text;
    update public.submissions as s
    set status = 'rejected', rejection = v_reason
    where s.org_id = p_org_id and s.id = v_submission.id
    returning * into v_submission;
  end;
  return v_submission;
end
$$;

revoke all on function public.intake_submission(uuid, text, jsonb) from public, anon, authenticated, service_role;
grant execute on function public.intake_submission(uuid, text, jsonb) to service_role;
