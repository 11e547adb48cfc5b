-- Which company a sign-up means: EIN first, then the legal name, then an alias, and only then a new company.
--
-- Sign-ups run side by side. The two unique constraints of companies decide who creates; ON CONFLICT DO NOTHING turns
-- the loser's insert into a second look, and that look finds the winner. This holds at READ COMMITTED, where every
-- statement sees what is committed by then. Above it the transaction cannot see the winner and PostgreSQL raises 40001:
-- the caller runs the transaction again. An advisory lock would be one more thing for every writer to remember, would
-- make strangers wait for each other, and above READ COMMITTED would still need the constraints. (Who resolves several
-- companies in one transaction does so in the order of their names, or retries on a deadlock, 40P01.)
--
-- The EIN outweighs the name: where the EIN belongs to one company and the name to another, the EIN's company is meant.
-- A name whose company has a different EIN is for a person to decide: error CS001. A company first seen without its
-- EIN gets it. Nothing else about a company that exists is changed, and no alias is learned.
--
-- SECURITY INVOKER: row-level security binds it like any other query of its caller.
create function public.resolve_company(p_org_id uuid, p_legal_name text, p_ein text default null) returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_ein text := nullif(translate(p_ein, '- ', ''), '');
  v_name text := public.normalise_name(p_legal_name);
  v_company public.companies;
begin
  loop
    -- 1. the EIN
    select c.* into v_company from public.companies as c where c.org_id = p_org_id and c.ein = v_ein;
    if found then
      return v_company.id;
    end if;

    -- 2. the normalised legal name
    select c.* into v_company from public.companies as c where c.org_id = p_org_id and c.normalised_name = v_name;

    -- 3. an alias
    if not found then
      select c.* into v_company
      from public.company_aliases as a
      join public.companies as c on c.org_id = a.org_id and c.id = a.company_id
      where a.org_id = p_org_id and a.normalised_alias = v_name;
    end if;

    if not found then
      -- 4. a new company
      insert into public.companies (org_id, legal_name, ein) values (p_org_id, p_legal_name, v_ein)
      on conflict do nothing
      returning * into v_company;
      if found then
        return v_company.id;
      end if;
    elsif v_ein is null or v_ein = v_company.ein then
      return v_company.id;
    elsif v_company.ein is not null then
      raise exception using
        errcode = 'CS001', schema = 'public', table = 'companies', column = 'ein',
        message = format('company %L is known with a different EIN', v_company.legal_name),
        detail = format('companies.id = %s, companies.ein = %s, given: %s', v_company.id, v_company.ein, v_ein),
        hint = 'Correct the EIN in companies or in the sign-up, or sign up under the full legal name.';
    else
      begin
        update public.companies as c set ein = v_ein
        where c.org_id = p_org_id and c.id = v_company.id and c.ein is null;
        if found then
          return v_company.id;
        end if;
      exception when unique_violation then
        -- a sign-up with this EIN and another name was faster: to the caller that is a race like any other
        raise exception using
          errcode = 'serialization_failure', schema = 'public', table = 'companies', column = 'ein',
          message = format('EIN %s was taken by a concurrent sign-up', v_ein),
          detail = format('companies.id = %s was about to get it', v_company.id),
          hint = 'Run the transaction again.';
      end;
    end if;
    -- a concurrent sign-up was faster: look again
  end loop;
end
$$;

revoke all on function public.resolve_company(uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function public.resolve_company(uuid, text, text) to authenticated, service_role;
