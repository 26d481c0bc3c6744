<?php
declare( strict_types=1 );

namespace Tillsync\Tests\Conformance;

use Automattic\WooCommerce\Internal\EmailEditor\WCTransactionalEmails\WCTransactionalEmails;
use Tillsync\Tests\SiteTestCase;

/** Covers which emails the block email editor lists. */
final class BlockEmailsTest extends SiteTestCase {
	public function test_an_email_that_only_the_mailer_has_is_not_listed(): void {
		remove_all_filters( 'woocommerce_transactional_emails_for_block_editor' );
		$registered = array_map( static fn( $email ) => $email->id, WC()->mailer()->get_emails() );
		$this->assertContains( 'tillsync_attention', $registered );
		$listed = WCTransactionalEmails::get_transactional_emails();
		$this->assertContains( 'new_order', $listed );
		$this->assertNotContains( 'tillsync_attention', $listed );
	}

	public function test_a_filter_of_the_editor_adds_an_email(): void {
		add_filter( 'woocommerce_transactional_emails_for_block_editor', static fn( array $ids ) => array_merge( $ids, array( 'one_more' ) ) );
		$this->assertContains( 'one_more', WCTransactionalEmails::get_transactional_emails() );
		$this->assertContains( 'tillsync_attention', WCTransactionalEmails::get_transactional_emails(), 'as the bridge does' );
	}
}
