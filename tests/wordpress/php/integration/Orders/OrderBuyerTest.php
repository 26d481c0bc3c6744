<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Orders\OrderFacts;
use WC_Order;

/** A user id can be given to another person. Orders of the previous person do not belong to the new one. */
final class OrderBuyerTest extends SiteTestCase {

	/** @dataProvider orders */
	public function test_an_older_order_with_another_email_belongs_to_the_previous_person( int $older_seconds, string $billing_email, bool $is_own ): void {
		$user  = $this->user();
		$order = new WC_Order();
		$order->set_customer_id( $user );
		$order->set_date_created( strtotime( get_userdata( $user )->user_registered . ' UTC' ) - $older_seconds );
		if ( '' !== $billing_email ) {
			$order->set_billing_email( 'own' === $billing_email ? strtoupper( get_userdata( $user )->user_email ) : $billing_email );
		}
		$order->save();
		$this->assertSame( $is_own, null !== OrderFacts::buyer( $order ) );
		$this->assertSame( $is_own, array_key_exists( 'wooCustomerId', OrderFacts::of( $order, 0 )->message['order'] ) );
	}

	/** @return array<string, array{int, string, bool}> */
	public static function orders(): array {
		return array(
			'older, of another email'                => array( 90000, 'before@example.test', false ),
			'older, a guest order of the own email'  => array( 90000, 'own', true ),
			'older, without an email'                => array( 90000, '', true ),
			'of the checkout that made the account'   => array( 600, 'typo@exmaple.test', true ),
			'younger, billed to another email'       => array( -5, 'office@example.test', true ),
		);
	}
}
