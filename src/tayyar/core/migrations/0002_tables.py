"""The audit log refuses to be rewritten."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]

    operations = [
        migrations.RunSQL(
            """
            CREATE FUNCTION core_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
            END $$;
            CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON core_auditentry
                FOR EACH ROW EXECUTE FUNCTION core_append_only();
            CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON core_auditentry
                FOR EACH STATEMENT EXECUTE FUNCTION core_append_only();
            """,
            """DROP TRIGGER append_only ON core_auditentry; DROP TRIGGER append_only_truncate ON core_auditentry; DROP FUNCTION core_append_only""",
        ),
    ]
