<?php
declare( strict_types=1 );

namespace Tillsync\Tests\Conformance;

use Tillsync\Tests\SiteTestCase;
use WC_Emails;

/** Covers when WooCommerce loads the email classes. */
final class EmailsTest extends SiteTestCase {
	public function test_wc_email_is_loaded_with_the_mailer(): void {
		$this->assertFalse( class_exists( 'WC_Email' ), 'extending it outside the filter would be fatal' );
		$mailer = WC()->mailer();
		$this->assertInstanceOf( WC_Emails::class, $mailer );
		$this->assertTrue( class_exists( 'WC_Email', false ) );
		$this->assertSame( $mailer, WC()->mailer() );
		$html = $mailer->wrap_message( 'The heading', 'The text' );
		$this->assertStringContainsString( 'The heading', $html );
		$this->assertStringContainsString( 'The text', $html );
	}
}
