-- What corrections take back beyond a month's usage goes back to the credits that paid for it: an invoice may give credits, not only draw them.
alter table invoice drop constraint invoice_credits_nano_check;
-- Adjustments of the months that an invoice corrects: see planCreditReturns(). By organization, for a month has those of everybody.
create index adjustment_of_organization on adjustment (organization_id, month);
