<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Orders\OrderFacts;
use Tillsync\Bridge\Orders\OrderText;

final class OrderTextTest extends SiteTestCase {

	/** @dataProvider texts */
	public function test_a_text_becomes_one_plain_line( string $text, string $tidy ): void {
		$this->assertSame( $tidy, OrderText::tidied( $text, 255 ) );
	}

	/** @return array<int, array{string, string}> */
	public static function texts(): array {
		return array(
			array( 'O&#039;Brien', "O'Brien" ),
			array( 'Smith &amp; Sons', 'Smith & Sons' ),
			array( '&amp;lt;', '&lt;' ),
			array( "Ada\tAugusta\r\nKing", 'Ada Augusta King' ),
			array( "O\x92Brien", 'O’Brien' ),
			array( "Ada\x00\x07", 'Ada' ),
			array( ' Zoë Łukasiewicz ', 'Zoë Łukasiewicz' ),
			array( str_repeat( 'é', 300 ), str_repeat( 'é', 255 ) ),
			array( str_repeat( 'a', 254 ) . ' b', str_repeat( 'a', 254 ) ),
		);
	}

	public function test_an_email_is_neither_cut_nor_decoded(): void {
		$this->assertSame( 'ada@example.test', OrderText::tidied_email( "\tada@example.test\x00" ) );
		$this->assertSame( str_repeat( 'x', 300 ), OrderText::tidied_email( str_repeat( 'x', 300 ) ) );
	}

	public function test_facts_are_tidied(): void {
		$order = $this->order();
		$order->set_billing_first_name( "Ada\tO&#039;Brien" );
		$order->set_billing_company( str_repeat( 'c', 300 ) );
		$facts = OrderFacts::of( $order, 0 )->message['order'];
		$this->assertSame( array( "Ada O'Brien", 255 ), array( $facts['firstName'], strlen( $facts['company'] ) ) );
	}
}
